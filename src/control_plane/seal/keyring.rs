//! The keyring in the record: opened with the master key, made once, wrapped anew, given a new current key.

use rand::Rng;

use super::master::random_key;
use super::{MasterKey, Ring, SealError, Sealer, text};
use crate::control_plane::records::{AccessKey, DataKey, Keyring};
use crate::control_plane::store::{ALL, Document, Row, Select, Store, StoreError, Stored, Transaction, Typed};

/// The id of the key that sealed the values of the first release: the master key of that time.
pub(super) const LEGACY: &str = "v1";

/// How often a change of the keyring is tried again that another server was faster with.
const ATTEMPTS: usize = 10;

/// What the record says of sealing before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is in it.
    Empty,
    /// Written by the first release, which had no keyring.
    Unsealed,
    /// It has a keyring, and opens with its master key only.
    Sealed,
}

/// Looks at a record that isn't opened yet.
///
/// # Errors
/// That the record refuses, or [`SealError::NoKeyring`].
pub async fn standing(store: &Store) -> Result<Standing, SealError> {
    store.read(|tx: &mut dyn Transaction| look(tx)).await
}

fn look(tx: &mut dyn Transaction) -> Result<Standing, SealError> {
    if tx.fetch(&Keyring::scope(), Keyring::KIND, Keyring::KEY)?.is_some() {
        return Ok(Standing::Sealed);
    }
    // A server's first act is to write its access keys, so without any the record is empty.
    let select = Select { term: ALL, value: "", after: None, descending: false, limit: 1 };
    match tx.select(&AccessKey::scope(), AccessKey::KIND, &select)?.first() {
        None => Ok(Standing::Empty),
        Some(Row { body, .. }) if text::key_of(body).is_some() => Err(SealError::NoKeyring),
        Some(_) => Ok(Standing::Unsealed),
    }
}

/// Opens the keyring of a record, and makes it if the record has none. `store` is the record without any layer.
///
/// A keyring that the `previous` master key wraps is wrapped anew by `master`.
///
/// # Errors
/// [`SealError::WrongMaster`] if neither opens it: never is a second keyring made.
pub async fn open(
    store: &Store,
    master: MasterKey,
    previous: Option<&MasterKey>,
    now: i64,
) -> Result<Sealer, SealError> {
    for _ in 0..ATTEMPTS {
        let found = store.read(|tx: &mut dyn Transaction| Ok::<_, SealError>((look(tx)?, keyring(tx)?))).await?;
        let ring = match found {
            (standing, None) => make(store, standing, &master, previous, now).await?,
            (_, Some(stored)) => match unwrapped(&stored, &master).await {
                Err(SealError::WrongMaster { .. }) if previous.is_some() => {
                    rewrap(store, stored, &master, previous).await?
                }
                opened => Some(opened?),
            },
        };
        if let Some(ring) = ring {
            return Ok(Sealer::new(ring, Some(master)));
        }
    }
    Err(SealError::Contended)
}

/// Adds the first keyring; None if another server was faster.
async fn make(
    store: &Store,
    standing: Standing,
    master: &MasterKey,
    previous: Option<&MasterKey>,
    now: i64,
) -> Result<Option<Ring>, SealError> {
    let mut keys = Vec::new();
    let before = previous.unwrap_or(master).bytes();
    if let (Standing::Unsealed, Some(bytes)) = (standing, before) {
        keys.push((LEGACY.to_owned(), bytes));
    }
    keys.push((new_id(), random_key()));
    let keyring = wrapped(&keys, master, now).await?;
    let current = keyring.current.clone();
    let added = store.write(move |tx: &mut dyn Transaction| tx.add(&Keyring::scope(), &keyring)).await;
    match added {
        Err(StoreError::Exists { .. } | StoreError::Stale { .. }) => Ok(None),
        other => other.map(|()| Some(Ring::new(keys, current))).map_err(SealError::from),
    }
}

/// Wraps all keys by another master key; None if another server was faster.
async fn rewrap(
    store: &Store,
    mut stored: Stored<Keyring>,
    master: &MasterKey,
    previous: Option<&MasterKey>,
) -> Result<Option<Ring>, SealError> {
    let previous = previous.expect("only a given previous key is tried");
    for key in &mut stored.value.keys {
        let plain = previous.unwrap(&key.wrapped, &context(&key.id)).await;
        let plain = plain.map_err(|error| wrong_master(error, &stored.value.master, previous.id()))?;
        key.wrapped = master.wrap(&plain, &context(&key.id)).await?;
    }
    master.id().clone_into(&mut stored.value.master);
    let ring = unwrapped(&stored, master).await?;
    if save(store, stored).await? {
        tracing::info!("the data keys are now wrapped by {}; master_key_previous can be left out", master.id());
        return Ok(Some(ring));
    }
    Ok(None)
}

/// Writes a changed keyring; false if another server was faster.
async fn save(store: &Store, mut stored: Stored<Keyring>) -> Result<bool, SealError> {
    let saved = store.write(move |tx: &mut dyn Transaction| tx.save(&Keyring::scope(), &mut stored)).await;
    match saved {
        Err(StoreError::Stale { .. }) => Ok(false),
        other => other.map(|()| true).map_err(SealError::from),
    }
}

async fn wrapped(keys: &[(String, [u8; 32])], master: &MasterKey, now: i64) -> Result<Keyring, SealError> {
    let mut data_keys = Vec::with_capacity(keys.len());
    for (id, key) in keys {
        let wrapped = master.wrap(key, &context(id)).await?;
        data_keys.push(DataKey { id: id.clone(), wrapped, created_at: now });
    }
    let current = keys.last().map(|(id, _)| id.clone()).unwrap_or_default();
    Ok(Keyring { master: master.id().to_owned(), current, keys: data_keys, resealed: None })
}

async fn unwrapped(keyring: &Keyring, master: &MasterKey) -> Result<Ring, SealError> {
    let mut keys = Vec::with_capacity(keyring.keys.len());
    for DataKey { id, wrapped, .. } in &keyring.keys {
        let key = master.unwrap(wrapped, &context(id)).await;
        let key = key.map_err(|error| wrong_master(error, &keyring.master, master.id()))?;
        keys.push((id.clone(), key.try_into().map_err(|_| SealError::Broken)?));
    }
    Ok(Ring::new(keys, keyring.current.clone()))
}

fn wrong_master(error: SealError, found: &str, given: &str) -> SealError {
    match error {
        // KMS answers for a key that isn't the right one in several ways, by who asks; the names tell it apart.
        SealError::Kms { .. } if found == given => error,
        SealError::Broken | SealError::Kms { .. } => {
            SealError::WrongMaster { found: found.to_owned(), given: given.to_owned() }
        }
        other => other,
    }
}

pub(super) fn keyring(tx: &mut dyn Transaction) -> Result<Option<Stored<Keyring>>, StoreError> {
    tx.get::<Keyring>(&Keyring::scope(), Keyring::KEY)
}

/// What binds a wrapped key to its id.
fn context(id: &str) -> String {
    format!("data key {id}")
}

/// A name for a new data key; short, since it stands in everything that the key seals.
pub(super) fn new_id() -> String {
    format!("{:08x}", rand::rng().random::<u32>())
}

impl Sealer {
    /// Makes a new data key the current one, and returns its id; what older keys sealed still opens.
    ///
    /// # Errors
    /// [`SealError::Contended`] while another server does the same, [`SealError::Kms`], or that the record refuses.
    pub async fn rotate(&self, store: &Store, now: i64) -> Result<String, SealError> {
        let master = self.master().ok_or(SealError::NoKeyring)?;
        let found = store.read(|tx: &mut dyn Transaction| keyring(tx)).await?;
        let mut stored = found.ok_or(SealError::NoKeyring)?;
        let id = new_id();
        let wrapped = master.wrap(&random_key(), &context(&id)).await?;
        stored.value.keys.push(DataKey { id: id.clone(), wrapped, created_at: now });
        stored.value.current.clone_from(&id);
        stored.value.resealed = None;
        let ring = unwrapped(&stored, master).await?;
        if !save(store, stored).await? {
            return Err(SealError::Contended);
        }
        self.install(ring);
        Ok(id)
    }

    /// Takes over what other servers have made of the keyring.
    ///
    /// # Errors
    /// [`SealError::WrongMaster`] when the keys have been wrapped by another, [`SealError::Kms`], or that the record
    /// refuses.
    pub async fn reload(&self, store: &Store) -> Result<(), SealError> {
        let Some(master) = self.master() else { return Ok(()) };
        let found = store.read(|tx: &mut dyn Transaction| keyring(tx)).await?;
        self.take_over(&found.ok_or(SealError::NoKeyring)?.value, master).await
    }

    async fn take_over(&self, found: &Keyring, master: &MasterKey) -> Result<(), SealError> {
        if found.current != self.ring().current() {
            self.install(unwrapped(found, master).await?);
        }
        Ok(())
    }

    /// As [`Sealer::reload`], inside a transaction that has met a key that isn't loaded. Once in a rotation this waits
    /// for KMS on the store's thread.
    pub(crate) fn reload_in(&self, tx: &mut dyn Transaction) -> Result<(), SealError> {
        let Some(master) = self.master() else { return Ok(()) };
        let found = keyring(tx)?.ok_or(SealError::NoKeyring)?;
        match master {
            MasterKey::Local(_) => at_once(self.take_over(&found, master)),
            MasterKey::Kms(kms) => kms.wait_for(self.take_over(&found, master)),
        }
    }
}

/// Without KMS nothing is waited for.
fn at_once(work: impl Future<Output = Result<(), SealError>>) -> Result<(), SealError> {
    use futures::FutureExt;
    work.now_or_never().unwrap_or(Err(SealError::Contended))
}
