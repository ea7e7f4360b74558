//! What a NOTIFY says: the state of one extension or mailbox as dialog-info (RFC 4235), PIDF (RFC 3863), XPIDF or a
//! message summary (RFC 3842).
//!
//! A lamp is told of one dialog, named as the extension, as Asterisk does; every document is whole, for a part of it
//! would be no shorter. While the extension rings the document has a name for the call, and who calls: with these a
//! phone picks the call up (INVITE with Replaces, RFC 3891). Nothing is said of who talks to whom, and the name is not
//! that of the dialog, which is the same once it is answered: with it a subscriber could take the call away from those
//! who talk.

use std::fmt::Write;

use ::sip::Replaces;
use config::CallerId;
use switch::{DeviceState as State, Messages};

use super::{Friends, Item, Package};

/// The call that rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Early {
    /// Names it to who picks it up.
    pub(crate) dialog: Option<Replaces>,
    /// Who calls.
    pub(crate) caller: CallerId,
}

/// What one document is written of.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) state: State,
    pub(super) messages: Messages,
    pub(super) early: Option<&'a Early>,
    pub(super) version: u32,
    /// `notify_early_inuse_ringing`.
    pub(super) early_in_use: bool,
}

pub(super) fn write(package: Package, item: &Item, facts: &Facts<'_>) -> String {
    match package {
        Package::Presence(Friends::Pidf) => pidf(item, facts.state),
        Package::Presence(Friends::Xpidf) => xpidf(item, facts.state),
        Package::Dialog => dialog_info(item, facts),
        Package::MessageSummary => {
            let account = item.account.as_deref().unwrap_or(&item.entity);
            summary(facts.messages, Some(account))
        }
    }
}

fn pidf(item: &Item, state: State) -> String {
    let entity = escaped(&item.entity);
    let id = escaped(&item.name);
    let (basic, activity, note) = match state {
        State::Ringing | State::RingInUse => ("open", "busy", "Ringing"),
        State::InUse => ("open", "busy", "On the phone"),
        State::Busy => ("closed", "busy", "On the phone"),
        State::OnHold => ("closed", "busy", "On hold"),
        State::Unavailable | State::Invalid => ("closed", "away", "Unavailable"),
        State::NotInUse | State::Unknown => ("open", "", "Ready"),
    };
    let activity = match activity {
        "" => String::new(),
        word => format!("<rpid:activities><rpid:{word}/></rpid:activities>"),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{entity}\">\r\n\
         <tuple id=\"{id}\"><status><basic>{basic}</basic></status>\
         <contact priority=\"1\">{entity}</contact></tuple>\r\n\
         <dm:person id=\"p{id}\">{activity}</dm:person>\r\n\
         <note>{note}</note>\r\n</presence>\r\n"
    )
}

/// What came before PIDF, for Polycom phones and old soft phones: in the words of Asterisk.
fn xpidf(item: &Item, state: State) -> String {
    let entity = escaped(&item.entity);
    let id = escaped(&item.name);
    let (status, substatus) = match state {
        State::NotInUse | State::Unknown => ("open", "online"),
        State::Ringing | State::InUse | State::RingInUse => ("inuse", "onthephone"),
        State::Busy | State::OnHold | State::Unavailable | State::Invalid => ("closed", "offline"),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <!DOCTYPE presence PUBLIC \"-//IETF//DTD RFCxxxx XPIDF 1.0//EN\" \"xpidf.dtd\">\r\n\
         <presence>\r\n<presentity uri=\"{entity};method=SUBSCRIBE\"/>\r\n\
         <atom atomid=\"{id}\" id=\"{id}\">\r\n<address uri=\"{entity};user=ip\" priority=\"0.800000\">\r\n\
         <status status=\"{status}\"/>\r\n<msnsubstatus substatus=\"{substatus}\"/>\r\n\
         </address>\r\n</atom>\r\n</presence>\r\n"
    )
}

fn dialog_info(item: &Item, facts: &Facts<'_>) -> String {
    let (entity, id) = (escaped(&item.entity), escaped(&item.name));
    let (state, version) = (facts.state, facts.version);
    let word = match state {
        State::Ringing => "early",
        State::RingInUse if facts.early_in_use => "early",
        State::RingInUse | State::InUse | State::Busy | State::OnHold => "confirmed",
        State::NotInUse | State::Unavailable | State::Invalid | State::Unknown => "terminated",
    };
    let early = facts.early.filter(|_| word == "early");
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"{entity}\">\r\n<dialog id=\"{id}\""
    );
    if let Some(dialog) = early.and_then(|early| early.dialog.as_ref()) {
        // RFC 4235 §4.1.2, seen from the phone that rings: its own tag is the local one, ours the remote one.
        let _ = write!(
            text,
            " call-id=\"{}\" local-tag=\"{}\" remote-tag=\"{}\"",
            escaped(&dialog.call_id),
            escaped(&dialog.from_tag),
            escaped(&dialog.to_tag)
        );
    }
    if word == "early" {
        text.push_str(" direction=\"recipient\"");
    }
    let _ = write!(text, ">\r\n<state>{word}</state>\r\n");
    if state == State::OnHold {
        // RFC 4235 §4.1.6.2, RFC 3840: the device renders nothing.
        let _ = write!(
            text,
            "<local><target uri=\"{entity}\"><param pname=\"+sip.rendering\" pvalue=\"no\"/>\
             </target></local>\r\n"
        );
    }
    if let Some(early) = early {
        let _ = write!(
            text,
            "<local><identity>{entity}</identity><target uri=\"{entity}\"/></local>\r\n"
        );
        let (display, identity, target) = party(&item.entity, &early.caller);
        let _ = write!(
            text,
            "<remote><identity{display}>{identity}</identity><target uri=\"{target}\"/></remote>\r\n"
        );
    }
    text + "</dialog>\r\n</dialog-info>\r\n"
}

/// Who calls: the attribute with the name, the identity, and an address here, where the call can be picked up. What is
/// private is shown to nobody who watches.
fn party(entity: &str, caller: &CallerId) -> (String, String, String) {
    let number = caller.number.as_str();
    if !caller.presentation().is_allowed() || number.is_empty() {
        let target = escaped(&beside(entity, "anonymous"));
        let identity = "sip:anonymous@anonymous.invalid".to_owned();
        return (" display=\"Anonymous\"".to_owned(), identity, target);
    }
    let uri = escaped(&beside(entity, number));
    let display = match caller.name.as_str() {
        "" => String::new(),
        name => format!(" display=\"{}\"", escaped(name)),
    };
    (display, uri.clone(), uri)
}

/// Another user at the host of an address: `sip:200@host` of `sip:100@host;transport=tcp`.
pub(super) fn beside(entity: &str, user: &str) -> String {
    let known: Option<::sip::Uri> = entity.parse().ok();
    let host = known
        .as_ref()
        .and_then(|uri| Some((uri.host()?, uri.port())));
    match host {
        Some((host, port)) => ::sip::Uri::sip(Some(user), host, port).to_string(),
        None => format!("sip:{user}"),
    }
}

/// What waits, as RFC 3842 §5 writes it.
pub(crate) fn summary(messages: Messages, account: Option<&str>) -> String {
    let Messages { new, old } = messages;
    let waiting = if new > 0 { "yes" } else { "no" };
    let account = account.map(|account| format!("Message-Account: {account}\r\n"));
    let account = account.unwrap_or_default();
    format!("Messages-Waiting: {waiting}\r\n{account}Voice-Message: {new}/{old} (0/0)\r\n")
}

/// Text in XML.
pub(super) fn escaped(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .fold(String::new(), |mut text, character| {
            match character {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '"' => text.push_str("&quot;"),
                '\'' => text.push_str("&apos;"),
                other => text.push(other),
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::*;
    use config::Presentation;

    fn item() -> Item {
        Item {
            name: "6001".to_owned(),
            entity: "sip:6001@example.com".to_owned(),
            ..Item::default()
        }
    }

    fn facts(state: State) -> Facts<'static> {
        Facts {
            state,
            messages: Messages { new: 2, old: 1 },
            early: None,
            version: 3,
            early_in_use: false,
        }
    }

    fn text(package: Package, state: State) -> String {
        write(package, &item(), &facts(state))
    }

    #[test]
    fn a_mailbox_is_told_of_in_numbers() {
        let text = text(Package::MessageSummary, Unknown);
        assert!(text.starts_with("Messages-Waiting: yes\r\n"), "{text}");
        assert!(text.ends_with("Voice-Message: 2/1 (0/0)\r\n"), "{text}");
        let item = Item {
            account: Some("sip:*97@example.com".to_owned()),
            ..item()
        };
        let text = write(Package::MessageSummary, &item, &facts(Unknown));
        assert!(
            text.contains("Message-Account: sip:*97@example.com\r\n"),
            "{text}"
        );
    }

    #[test]
    fn a_lamp_is_told_of_in_dialog_info() {
        let text = text(Package::Dialog, Ringing);
        assert!(text.contains("version=\"3\" state=\"full\" entity=\"sip:6001@example.com\""));
        assert!(
            text.contains("<dialog id=\"6001\" direction=\"recipient\">\r\n<state>early</state>")
        );
        for (state, word) in [
            (InUse, "confirmed"),
            (NotInUse, "terminated"),
            (OnHold, "confirmed"),
        ] {
            assert!(self::text(Package::Dialog, state).contains(&format!("<state>{word}</state>")));
        }
        assert!(self::text(Package::Dialog, OnHold).contains("+sip.rendering"));
    }

    fn early(caller: CallerId) -> Early {
        Early {
            dialog: Some(Replaces {
                call_id: "c&1".into(),
                to_tag: "ours".into(),
                from_tag: "bobs".into(),
                early_only: false,
            }),
            caller,
        }
    }

    #[test]
    fn what_rings_can_be_picked_up_by_what_the_lamp_says() {
        let early = early(CallerId::new("Ann \"A\"", "200"));
        let rings = Facts {
            early: Some(&early),
            ..facts(Ringing)
        };
        let text = write(Package::Dialog, &item(), &rings);
        let dialog = "<dialog id=\"6001\" call-id=\"c&amp;1\" local-tag=\"bobs\" remote-tag=\"ours\" \
                      direction=\"recipient\">";
        assert!(text.contains(dialog), "{text}");
        let remote = "<remote><identity display=\"Ann &quot;A&quot;\">sip:200@example.com</identity>\
                      <target uri=\"sip:200@example.com\"/></remote>";
        assert!(text.contains(remote), "{text}");
        // Who talks is not named.
        for state in [InUse, RingInUse] {
            let talks = Facts {
                early: Some(&early),
                ..facts(state)
            };
            let text = write(Package::Dialog, &item(), &talks);
            assert!(!text.contains("call-id") && !text.contains("200"), "{text}");
        }
    }

    #[test]
    fn who_is_private_is_shown_to_nobody_who_watches() {
        let caller = CallerId::new("Ann", "200").presented(Presentation::ProhibNotScreened);
        let early = early(caller);
        let rings = Facts {
            early: Some(&early),
            ..facts(Ringing)
        };
        let text = write(Package::Dialog, &item(), &rings);
        assert!(!text.contains("Ann") && !text.contains("200"), "{text}");
        assert!(text.contains("uri=\"sip:anonymous@example.com\""), "{text}");
    }

    #[test]
    fn a_friend_is_told_of_in_pidf() {
        for (state, basic, note) in [
            (NotInUse, "open", "Ready"),
            (InUse, "open", "On the phone"),
            (Unavailable, "closed", "Unavailable"),
        ] {
            let text = text(Package::Presence(Friends::Pidf), state);
            assert!(text.contains(&format!("<basic>{basic}</basic>")), "{text}");
            assert!(text.contains(&format!("<note>{note}</note>")), "{text}");
        }
    }

    #[test]
    fn a_friend_is_told_of_in_xpidf() {
        for (state, status, substatus) in [
            (NotInUse, "open", "online"),
            (Ringing, "inuse", "onthephone"),
            (InUse, "inuse", "onthephone"),
            (Unavailable, "closed", "offline"),
        ] {
            let text = text(Package::Presence(Friends::Xpidf), state);
            let status = format!("<status status=\"{status}\"/>");
            assert!(text.contains(&status), "{text}");
            let substatus = format!("<msnsubstatus substatus=\"{substatus}\"/>");
            assert!(text.contains(&substatus), "{text}");
        }
    }

    #[test]
    fn names_cannot_break_the_document() {
        let item = Item {
            name: "a\"><b>&\r\n".to_owned(),
            ..item()
        };
        let text = write(Package::Dialog, &item, &facts(Ringing));
        assert!(text.contains("id=\"a&quot;&gt;&lt;b&gt;&amp;\""), "{text}");
    }

    #[test]
    fn another_user_is_at_the_same_host() {
        let uri = |entity| beside(entity, "200");
        assert_eq!(uri("sip:100@h:5070;transport=tcp"), "sip:200@h:5070");
        assert_eq!(uri("sip:[::1]"), "sip:200@[::1]");
        assert_eq!(uri("no address"), "sip:200");
    }
}
