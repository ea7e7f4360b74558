//! `CDR(field[,options])` and `CDR_PROP(property)`.

use store::{Cdr, local_time};
use switch::{Channel, Function, SetError};

/// Reads and sets the fields of the call detail record.
pub(crate) static CDR: Function = Function {
    name: "CDR",
    synopsis: "A field of the call detail record: CDR(billsec), CDR(start,u); accountcode, amaflags, \
               userfield and names of your own can be set",
    read,
    write: Some(|call, arguments, value| {
        let field = arguments.split(',').next().unwrap_or_default().trim();
        call.record_mut().set(field, value)
    }),
};

/// Switches the call detail record.
pub(crate) static CDR_PROP: Function = Function {
    name: "CDR_PROP",
    synopsis: "Properties of the call detail record: Set(CDR_PROP(disable)=1)",
    read: |_, _| None,
    write: Some(set_property),
};

const SECOND_US: i64 = 1_000_000;

fn read(call: &Channel, arguments: &str) -> Option<String> {
    let (field, options) = arguments.split_once(',').unwrap_or((arguments, ""));
    let (raw, float) = (options.contains('u'), options.contains('f'));
    let (cdr, now_us) = (call.record().fields(), call.record().now_us());
    let time = |at_us: Option<i64>| match at_us {
        Some(at_us) if raw => format!("{}.{:06}", at_us / SECOND_US, at_us % SECOND_US),
        Some(at_us) => local_time(at_us),
        None if raw => "0.000000".to_owned(),
        None => String::new(),
    };
    let seconds = |whole: i64, since_us: Option<i64>| {
        let lasted = since_us.map_or(0, |since| cdr.end_us.unwrap_or(now_us) - since);
        match float {
            true => format!("{}.{:06}", lasted / SECOND_US, lasted % SECOND_US),
            false => whole.to_string(),
        }
    };
    let word = |name: &str, number: u8| match raw {
        true => number.to_string(),
        false => name.to_owned(),
    };
    let field = field.trim().to_ascii_lowercase();
    Some(match field.as_str() {
        "start" => time(Some(cdr.start_us)),
        "answer" => time(cdr.answer_us),
        "end" => time(cdr.end_us),
        "duration" => seconds(cdr.duration_s(now_us), Some(cdr.start_us)),
        "billsec" => seconds(cdr.billsec(now_us), cdr.answer_us),
        "disposition" => word(cdr.disposition.name(), cdr.disposition.number()),
        "amaflags" => word(cdr.amaflags.name(), cdr.amaflags.number()),
        "src" => call.caller.number.clone(),
        "sequence" => cdr.sequence.to_string(),
        name => text(cdr, name)?.to_owned(),
    })
}

fn text<'a>(cdr: &'a Cdr, name: &str) -> Option<&'a str> {
    Some(match name {
        "accountcode" => &cdr.accountcode,
        "dst" => &cdr.dst,
        "dcontext" => &cdr.dcontext,
        "clid" => &cdr.clid,
        "channel" => &cdr.channel,
        "dstchannel" => &cdr.dstchannel,
        "lastapp" => &cdr.lastapp,
        "lastdata" => &cdr.lastdata,
        "userfield" => &cdr.userfield,
        "uniqueid" => &cdr.uniqueid,
        "linkedid" => &cdr.linkedid,
        "peeraccount" => &cdr.peeraccount,
        name => cdr.variables.get(name)?,
    })
}

fn set_property(call: &mut Channel, property: &str, value: &str) -> Result<(), SetError> {
    let yes = ["1", "yes", "true", "on", "y", "t"];
    let on = yes
        .iter()
        .any(|word| word.eq_ignore_ascii_case(value.trim()));
    match property.trim().to_ascii_lowercase().as_str() {
        "disable" => call.record_mut().set_enabled(!on),
        // Which party is the first is decided by who called.
        "party_a" => {}
        _ => return Err(SetError::Item),
    }
    Ok(())
}
