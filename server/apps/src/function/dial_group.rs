//! `DIALGROUP(group)`: who is to be dialled, changed by the dial plan itself.

use std::sync::{Mutex, PoisonError};

use switch::{Channel, Function, SetError, VALUE_BYTES_MAX};

/// The family of the dial plan's database that keeps them.
const FAMILY: &str = "dialgroup";

/// Who changes a group does so alone; held over no wait.
static CHANGES: Mutex<()> = Mutex::new(());

/// The members of a group, as Dial takes them.
pub(crate) static DIAL_GROUP: Function = Function {
    name: "DIALGROUP",
    synopsis: "The members of a group as Dial takes them, which survive restarts: Set(DIALGROUP(group,add)=PJSIP/a), \
               `del`, or Set(DIALGROUP(group)=PJSIP/a&PJSIP/b)",
    read: |call, group| Some(members(call, group.trim()).join("&")),
    write: Some(|call, text, value| {
        let (group, operation) = text.split_once(',').unwrap_or((text, ""));
        let (group, value) = (group.trim(), value.trim());
        if group.is_empty() {
            return Err(SetError::Name);
        }
        // Commas part the members where they are kept.
        if value.contains(',') {
            return Err(SetError::Value);
        }
        let _alone = CHANGES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = members(call, group);
        match operation.trim() {
            "add" if value.is_empty() => return Err(SetError::Value),
            "add" => {
                if !list.iter().any(|known| known.eq_ignore_ascii_case(value)) {
                    list.push(value.to_owned());
                }
            }
            "del" => list.retain(|known| !known.eq_ignore_ascii_case(value)),
            "" => {
                let all = value.split('&').map(str::trim);
                list = all.filter(|it| !it.is_empty()).map(str::to_owned).collect();
            }
            _ => return Err(SetError::Function),
        }
        keep(call, group, &list)
    }),
};

fn members(call: &Channel, group: &str) -> Vec<String> {
    let kept = call.switch().store().astdb();
    let kept = kept.and_then(|database| database.value(FAMILY, group));
    let kept = kept.unwrap_or_default();
    let members = kept.split(',').filter(|member| !member.is_empty());
    members.map(str::to_owned).collect()
}

fn keep(call: &Channel, group: &str, members: &[String]) -> Result<(), SetError> {
    let database = call.switch().store().astdb().ok_or(SetError::Function)?;
    let text = members.join(",");
    if text.len() > VALUE_BYTES_MAX {
        return Err(SetError::TooLong);
    }
    match text.as_str() {
        "" => drop(database.remove(FAMILY, group)),
        text => {
            database
                .put(FAMILY, group, text)
                .map_err(|_| SetError::Function)?;
        }
    }
    Ok(())
}
