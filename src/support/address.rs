//! Addresses that hold a password, without it.

/// A URL in which `***` stands for the password, be it before the host or in the query.
pub fn without_password(url: &str) -> String {
    let (front, query) = url.split_once('?').map_or((url, None), |(front, query)| (front, Some(query)));
    let mut shown = match front.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", masked_user(rest)),
        None => front.to_owned(),
    };
    if let Some(query) = query {
        let masked = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.contains("password") => format!("{name}=***"),
            _ => pair.to_owned(),
        });
        shown.push('?');
        shown.push_str(&masked.collect::<Vec<_>>().join("&"));
    }
    shown
}

/// A password may hold an `@` that nobody escaped, so the last one counts.
fn masked_user(rest: &str) -> String {
    let Some((user, host)) = rest.rsplit_once('@') else { return rest.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{name}:***@{host}"),
        None => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn only_the_password_is_masked() {
        for (url, shown) in [
            ("sqlite:/a/b.db", "sqlite:/a/b.db"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://me@h:1/d?sslmode=require", "postgres://me@h:1/d?sslmode=require"),
            ("postgres://me:s:e/c@r@h:1/d", "postgres://me:***@h:1/d"),
            (
                "postgres://h/d?user=me&password=x&sslmode=require",
                "postgres://h/d?user=me&password=***&sslmode=require",
            ),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
