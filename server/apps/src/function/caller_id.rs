//! `CALLERID(…)`, `CONNECTEDLINE(…)`, `REDIRECTING(…)` and `CALLERPRES()`: who is who in a call.

use switch::{CallerId, Channel, Function, Presentation, SetError, VALUE_BYTES_MAX};

use super::items::unknown;

/// Reads and sets who calls.
pub(crate) static CALLER_ID: Function = Function {
    name: "CALLERID",
    synopsis: "Number and name of the caller, who may see them, and what else is known of it",
    read: |call, item| {
        let (item, given) = split(item);
        let value = match given {
            // Asterisk reads the parts of any caller that is written out.
            Some(given) => part(&CallerId::parse(given), item),
            None => read_caller(call, item),
        };
        value.or_else(|| unknown(call, "CALLERID", item))
    },
    write: Some(write_caller),
};

/// Reads and sets whom the channel is connected to; it is told unless `i` is said.
pub(crate) static CONNECTED_LINE: Function = Function {
    name: "CONNECTEDLINE",
    synopsis: "Number and name of who the channel is connected to; set, it is told, unless with `,i`",
    read: |call, item| {
        let value = part(&call.parties.connected, split(item).0);
        value.or_else(|| unknown(call, "CONNECTEDLINE", item))
    },
    write: Some(|call, item, value| {
        let (item, quiet) = split(item);
        set(&mut call.parties.connected, item, value)?;
        if !is_quiet(quiet) {
            call.tell_connected();
        }
        Ok(())
    }),
};

/// Reads and sets who sent the call on, and to where.
pub(crate) static REDIRECTING: Function = Function {
    name: "REDIRECTING",
    synopsis: "Who sent the call on (orig, from), to whom (to), why (reason) and how often (count)",
    read: |call, item| {
        let value = read_redirecting(call, split(item).0);
        value.or_else(|| unknown(call, "REDIRECTING", item))
    },
    write: Some(|call, item, value| {
        let (item, quiet) = split(item);
        write_redirecting(call, item, value)?;
        if !is_quiet(quiet) {
            call.tell_redirected();
        }
        Ok(())
    }),
};

/// Reads and sets who may see the caller.
pub(crate) static CALLER_PRES: Function = Function {
    name: "CALLERPRES",
    synopsis: "Who may see the caller; the same as CALLERID(pres)",
    read: |call, _| part(&call.caller, "pres"),
    write: Some(|call, _, value| set(&mut call.caller, "pres", value)),
};

/// `num,i`: the item, and what follows it.
fn split(arguments: &str) -> (&str, Option<&str>) {
    match arguments.split_once(',') {
        Some((item, rest)) => (item.trim(), Some(rest.trim())),
        None => (arguments.trim(), None),
    }
}

fn is_quiet(option: Option<&str>) -> bool {
    option.is_some_and(|option| option.eq_ignore_ascii_case("i"))
}

fn read_caller(call: &Channel, item: &str) -> Option<String> {
    let lower = item.to_ascii_lowercase();
    match lower.as_str() {
        "ani" => Some(call.parties.ani.number.clone()),
        "ani2" => Some(call.parties.ani2.to_string()),
        "dnid" => Some(call.parties.dialled.clone()),
        "rdnis" => Some(call.parties.redirecting.from.number.clone()),
        // SIP says nothing of these.
        "dnid-num-plan" | "ton" | "tns" => Some("0".to_owned()),
        item => match item.strip_prefix("ani-") {
            Some(item) => part(&call.parties.ani, item),
            None => part(&call.caller, item),
        },
    }
}

fn write_caller(call: &mut Channel, item: &str, value: &str) -> Result<(), SetError> {
    let (item, _) = split(item);
    fits(value)?;
    let lower = item.to_ascii_lowercase();
    match lower.as_str() {
        "ani" => value.clone_into(&mut call.parties.ani.number),
        "ani2" => call.parties.ani2 = value.trim().parse().map_err(|_| SetError::Value)?,
        "dnid" => value.clone_into(&mut call.parties.dialled),
        "rdnis" => value.clone_into(&mut call.parties.redirecting.from.number),
        item => match item.strip_prefix("ani-") {
            Some(item) => set(&mut call.parties.ani, item, value)?,
            None => {
                set(&mut call.caller, item, value)?;
                // As in Asterisk, the whole caller is also who is charged.
                if item == "all" {
                    call.parties.ani = call.caller.clone();
                }
            }
        },
    }
    Ok(())
}

fn read_redirecting(call: &Channel, item: &str) -> Option<String> {
    let redirecting = &call.parties.redirecting;
    let lower = item.to_ascii_lowercase();
    match lower.as_str() {
        "reason" => Some(redirecting.reason.clone()),
        "orig-reason" => Some(redirecting.orig_reason.clone()),
        "count" => Some(redirecting.count.to_string()),
        item => {
            let (whose, item) = item.split_once('-')?;
            let party = match whose {
                "orig" => &redirecting.orig,
                "from" => &redirecting.from,
                "to" => &redirecting.to,
                _ => return None,
            };
            part(party, item)
        }
    }
}

fn write_redirecting(call: &mut Channel, item: &str, value: &str) -> Result<(), SetError> {
    fits(value)?;
    let redirecting = &mut call.parties.redirecting;
    let lower = item.to_ascii_lowercase();
    match lower.as_str() {
        "reason" => value.trim().clone_into(&mut redirecting.reason),
        "orig-reason" => value.trim().clone_into(&mut redirecting.orig_reason),
        "count" => redirecting.count = value.trim().parse().map_err(|_| SetError::Value)?,
        item => {
            let (whose, item) = item.split_once('-').ok_or(SetError::Item)?;
            let party = match whose {
                "orig" => &mut redirecting.orig,
                "from" => &mut redirecting.from,
                "to" => &mut redirecting.to,
                _ => return Err(SetError::Item),
            };
            set(party, item, value)?;
        }
    }
    Ok(())
}

/// An item of a party; `None` if there is no such item.
fn part(party: &CallerId, item: &str) -> Option<String> {
    let flag = |is: bool| if is { "1" } else { "0" }.to_owned();
    Some(match item.to_ascii_lowercase().as_str() {
        "all" => party.to_string(),
        "num" | "number" => party.number.clone(),
        "num-valid" => flag(!party.number.is_empty()),
        "num-plan" => "0".to_owned(),
        "num-pres" => party.number_presentation.as_str().to_owned(),
        "name" => party.name.clone(),
        "name-valid" => flag(!party.name.is_empty()),
        "name-charset" => "utf8".to_owned(),
        "name-pres" => party.name_presentation.as_str().to_owned(),
        "pres" => party.presentation().as_str().to_owned(),
        "tag" => party.tag.clone(),
        "subaddr" | "subaddr-type" => String::new(),
        "subaddr-valid" | "subaddr-odd" => "0".to_owned(),
        _ => return None,
    })
}

fn set(party: &mut CallerId, item: &str, value: &str) -> Result<(), SetError> {
    fits(value)?;
    let presentation = || Presentation::parse(value).ok_or(SetError::Value);
    match item.to_ascii_lowercase().as_str() {
        "all" => {
            let CallerId { name, number, .. } = CallerId::parse(value);
            (party.name, party.number) = (name, number);
        }
        "num" | "number" => value.clone_into(&mut party.number),
        "name" => value.clone_into(&mut party.name),
        "num-pres" => party.number_presentation = presentation()?,
        "name-pres" => party.name_presentation = presentation()?,
        "pres" => {
            let presentation = presentation()?;
            party.number_presentation = presentation;
            party.name_presentation = presentation;
        }
        "tag" => value.clone_into(&mut party.tag),
        // What is not valid is as good as not there.
        "num-valid" | "name-valid" if is_true(value) => {}
        "num-valid" => party.number.clear(),
        "name-valid" => party.name.clear(),
        _ => return Err(SetError::Item),
    }
    Ok(())
}

fn is_true(value: &str) -> bool {
    value.trim().parse::<i64>().is_ok_and(|number| number != 0)
}

fn fits(value: &str) -> Result<(), SetError> {
    match value.len() > VALUE_BYTES_MAX {
        true => Err(SetError::TooLong),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use switch::CallerId;

    use super::{part, set};

    #[test]
    fn every_item_that_is_set_is_read_again() {
        let mut party = CallerId::new("Alice", "100");
        for (item, value) in [
            ("num", "200"),
            ("name", "Bob"),
            ("num-pres", "prohib"),
            ("name-pres", "allowed_passed_screen"),
            ("tag", "blue"),
            ("all", "\"Carol\" <300>"),
            ("pres", "prohib_passed_screen"),
        ] {
            set(&mut party, item, value).unwrap();
            assert_eq!(part(&party, item).as_deref(), Some(value), "{item}");
        }
        set(&mut party, "name-valid", "0").unwrap();
        assert_eq!(part(&party, "name").as_deref(), Some(""));
        assert!(set(&mut party, "pres", "secret").is_err());
        assert!(set(&mut party, "colour", "red").is_err());
        assert_eq!(part(&party, "colour"), None);
    }
}
