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

/// The keys below one.
pub(crate) static DB_KEYS: Function = Function {
    name: "DB_KEYS",
    synopsis: "The names directly below a family or a key, separated by commas: DB_KEYS([family[/beginning]])",
    read: |call, path| Some(keys(call, path)?.join(",")),
    write: None,
};

/// How many there are.
pub(crate) static DB_KEY_COUNT: Function = Function {
    name: "DB_KEY_COUNT",
    synopsis: "How many names are directly below a family or a key: DB_KEY_COUNT(family[/beginning])",
    read: |call, path| Some(keys(call, path)?.len().to_string()),
    write: None,
};

/// Whether the caller is not wanted.
pub(crate) static BLACKLIST: Function = Function {
    name: "BLACKLIST",
    synopsis: "1 if DB(blacklist/number) is there for the caller's number, else 0",
    read: |call, _| {
        let number = &call.caller.number;
        let known = call.switch().store().astdb();
        let known = known.and_then(|database| database.value("blacklist", number));
        Some(u8::from(known.is_some()).to_string())
    },
    write: None,
};

fn keys(call: &Channel, path: &str) -> Option<Vec<String>> {
    let path = path.trim().trim_matches('/');
    Some(call.switch().store().astdb()?.keys(path))
}

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
