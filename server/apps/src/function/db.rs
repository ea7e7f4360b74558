//! `DB(family/key)`, `DB_EXISTS(family/key)`, `DB_DELETE(family/key)`.

use switch::{Channel, Function, SetError, VALUE_BYTES_MAX};

/// Reads and sets an entry of the dial plan's own database.
pub(crate) static DB: Function = Function {
    name: "DB",
    synopsis: "An entry of the dial plan's own database, which survives restarts: DB(family/key)",
    read: value,
    write: Some(write),
};

/// Whether there is such an entry.
pub(crate) static DB_EXISTS: Function = Function {
    name: "DB_EXISTS",
    synopsis: "1 if DB(family/key) is there, else 0",
    read: |call, path| {
        Some(
            if value(call, path).is_some() {
                "1"
            } else {
                "0"
            }
            .to_owned(),
        )
    },
    write: None,
};

/// Reads an entry and removes it.
pub(crate) static DB_DELETE: Function = Function {
    name: "DB_DELETE",
    synopsis: "Reads DB(family/key) and removes it",
    read: |call, path| {
        let (family, key) = split(path)?;
        let value = value(call, path);
        drop(call.switch().store().astdb()?.remove(family, key));
        value
    },
    // Asterisk lets it be written too, whatever the value, and then it only removes.
    write: Some(|call, path, _| {
        let (family, key) = split(path).ok_or(SetError::Name)?;
        let database = call.switch().store().astdb().ok_or(SetError::Function)?;
        drop(database.remove(family, key));
        Ok(())
    }),
};

fn split(path: &str) -> Option<(&str, &str)> {
    let (family, key) = path.trim().split_once('/')?;
    (!family.is_empty() && !key.is_empty()).then_some((family, key))
}

fn value(call: &Channel, path: &str) -> Option<String> {
    let (family, key) = split(path)?;
    call.switch().store().astdb()?.value(family, key)
}

/// Known to all calls at once; on the disk in a moment, which no call waits for.
fn write(call: &mut Channel, path: &str, value: &str) -> Result<(), SetError> {
    let (family, key) = split(path).ok_or(SetError::Name)?;
    if value.len() > VALUE_BYTES_MAX {
        return Err(SetError::TooLong);
    }
    let database = call.switch().store().astdb().ok_or(SetError::Function)?;
    let put = database.put(family, key, value);
    // It may be a state or a mailbox that somebody watches.
    call.switch().directory().changed();
    match put {
        Ok(_) => Ok(()),
        Err(store::AstDbError::Full) => Err(SetError::TooMany),
        Err(store::AstDbError::ValueTooLong) => Err(SetError::TooLong),
        Err(store::AstDbError::Name | store::AstDbError::KeyTooLong) => Err(SetError::Name),
    }
}
