//! `HASH` and `HASHKEYS`: variables that belong together.

use switch::{Channel, Function, SetError};

use super::arguments::separate;

/// A value by a name and a key.
pub(crate) static HASH: Function = Function {
    name: "HASH",
    synopsis: "A value by its key: HASH(name,key); or all that are there are set: Set(HASH(name)=value,value)",
    read: |call, text| match text.split_once(',') {
        Some((name, key)) => Some(value(call, name, key)),
        None => {
            let values = keys(call, text).into_iter();
            let values = values.map(|key| value(call, text, &key));
            Some(values.collect::<Vec<_>>().join(","))
        }
    },
    write: Some(write),
};

/// The keys there are.
pub(crate) static HASH_KEYS: Function = Function {
    name: "HASHKEYS",
    synopsis: "The keys of what HASH(name,key) has set: HASHKEYS(name)",
    read: |call, name| Some(keys(call, name).join(",")),
    write: None,
};

/// As Asterisk names what it keeps them in.
fn variable(name: &str, key: &str) -> String {
    format!("~HASH~{}~{}~", name.trim(), key.trim())
}

/// Read as it is: a key is often what a caller has written, and must not be read as dial plan.
fn value(call: &Channel, name: &str, key: &str) -> String {
    let value = call.vars.value(&variable(name, key));
    value.unwrap_or_default().to_owned()
}

fn keys(call: &Channel, name: &str) -> Vec<String> {
    let begin = format!("~HASH~{}~", name.trim());
    let names = call.vars.iter().map(|(name, _)| name);
    let keys = names.filter_map(|name| name.strip_prefix(&begin)?.strip_suffix('~'));
    keys.map(str::to_owned).collect()
}

fn write(call: &mut Channel, text: &str, value: &str) -> Result<(), SetError> {
    if let Some((name, key)) = text.split_once(',') {
        return call.vars.set(&variable(name, key), value);
    }
    let keys = keys(call, text);
    let mut values = separate(value, keys.len().max(1)).into_iter();
    for key in keys {
        let value = values.next().unwrap_or_default();
        call.vars.set(&variable(text, &key), &value)?;
    }
    Ok(())
}
