//! Access keys as they are made, and what is derived from them: the password of a deployment's claim, known to both
//! rooms without ever being sent by one to the other, and the agent's own keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::Sha256;

use super::Secret;

/// The password for `url` as `username` (`<deployment>.<epoch>`): the hexadecimal HMAC-SHA256 of both under the secret
/// of the access key that claimed the deployment. It is worth nothing at another address.
pub fn state_password(secret: &Secret, url: &str, username: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    mac.update(username.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The value of the header `Authorization` for Basic authentication (<https://www.rfc-editor.org/rfc/rfc7617>).
pub fn basic(username: &str, password: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())))
}

/// A key of 32 bytes for one purpose: the HMAC-SHA256 of that purpose under the secret of an access key. Whoever has the
/// same secret can derive it again; it is never sent. The purpose begins with `hadron: `, which no URL does, so that it
/// has nothing in common with a [`state_password`].
pub fn derived_key(secret: &Secret, purpose: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A new access key's id and secret, in the shape of AWS's own, so that every client and scanner takes them for what they
/// are.
pub fn new_key() -> (String, Secret) {
    let id = random(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    let secret = random(40, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    (format!("AKIA{id}"), Secret::new(secret))
}

fn random(length: usize, alphabet: &[u8]) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hmac_of_url_and_username() {
        // Computed with openssl: printf '%s' URLUSERNAME | openssl dgst -sha256 -hmac SECRET
        let password = state_password(&Secret::new("wJalrXUtnFEMI"), "http://127.0.0.1:1/_hadron/state/1/r/x", "d-1.2");
        insta::assert_snapshot!(password, @"52fad27ee540f3fb5b87e2ac8246425511626acfabab2dd1f154baa16d63c4a3");
    }

    #[test]
    fn another_secret_url_or_user_has_another_password() {
        let password = |secret: &str, url, user| state_password(&Secret::new(secret), url, user);
        let mine = password("s", "http://a/", "d.1");
        assert_ne!(mine, password("t", "http://a/", "d.1"));
        assert_ne!(mine, password("s", "http://b/", "d.1"));
        assert_ne!(mine, password("s", "http://a/", "d.2"));
    }

    #[test]
    fn a_derived_key_belongs_to_its_secret_and_purpose() {
        let key = |secret: &str, purpose| hex::encode(derived_key(&Secret::new(secret), purpose));
        // Computed with openssl, as above.
        let mine = key("wJalrXUtnFEMI", "hadron: a test");
        insta::assert_snapshot!(mine, @"7e0598b05b98b34b08017079c0250d2d6a5aadb1aac8e33fe2d08203cbc23759");
        assert_ne!(mine, key("wJalrXUtnFEMJ", "hadron: a test"));
        assert_ne!(mine, key("wJalrXUtnFEMI", "hadron: another"));
    }
}
