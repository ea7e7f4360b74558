//! Files of Asterisk that the exchange does not read: what they are for, and what becomes of it.

use super::{FileReport, Item, Verdict};
use conf::{Diagnostic, Document, Report, Severity, Source, Wildcard, closest};
use std::collections::BTreeSet;

/// What a file is for.
struct Foreign {
    /// Its name; a pattern stands for several.
    name: &'static str,
    /// What becomes of it.
    verdict: Verdict,
    /// What it is for and why it is not read.
    about: &'static str,
    /// What to do instead.
    instead: &'static str,
    /// What each of its sections is, if that is worth a line; empty otherwise.
    noun: &'static str,
}

const fn file(
    name: &'static str,
    verdict: Verdict,
    about: &'static str,
    instead: &'static str,
    noun: &'static str,
) -> Foreign {
    Foreign {
        name,
        verdict,
        about,
        instead,
        noun,
    }
}

use Verdict::{Differs, Unsupported, Works};

#[rustfmt::skip]
const FILES: &[Foreign] = &[
    file("asterisk.conf", Differs, "folders and limits of the program: the command line and the service say them here", "see `sidetone run --help`", ""),
    file("modules.conf", Works, "which modules are loaded: all parts are built in, so nothing needs to be loaded", "", ""),
    file("sip.conf", Unsupported, "the old channel driver chan_sip, which Asterisk 21 took out", "move it to pjsip.conf: Asterisk's contrib/scripts/sip_to_pjsip.py writes one from it", "peer"),
    file("sip_*.conf", Unsupported, "the old channel driver chan_sip, which Asterisk 21 took out", "move it to pjsip.conf: Asterisk's contrib/scripts/sip_to_pjsip.py writes one from it", "peer"),
    file("users.conf", Unsupported, "users of several channel drivers at once, which Asterisk 21 took out", "write endpoints into pjsip.conf", "user"),
    file("iax.conf", Unsupported, "IAX2 is not spoken", "connect the other exchange by SIP, with `type=endpoint` and `type=identify`", "peer"),
    file("iaxprov.conf", Unsupported, "IAX2 is not spoken", "", ""),
    file("chan_dahdi.conf", Unsupported, "cards for telephone lines are not driven", "connect the lines by a gateway that speaks SIP", "group"),
    file("dahdi*.conf", Unsupported, "cards for telephone lines are not driven", "connect the lines by a gateway that speaks SIP", ""),
    file("chan_mobile.conf", Unsupported, "mobile phones over Bluetooth are not driven", "", "device"),
    file("skinny.conf", Unsupported, "SCCP is not spoken", "give the phones SIP firmware", "device"),
    file("mgcp.conf", Unsupported, "MGCP is not spoken", "", "gateway"),
    file("unistim.conf", Unsupported, "UNIStim is not spoken", "", "device"),
    file("ooh323.conf", Unsupported, "H.323 is not spoken", "", "peer"),
    file("motif.conf", Unsupported, "Google Voice over XMPP is not spoken", "", ""),
    file("xmpp.conf", Unsupported, "XMPP is not spoken", "", "account"),
    file("console.conf", Unsupported, "the sound card of the machine is not a phone", "", ""),
    file("alsa.conf", Unsupported, "the sound card of the machine is not a phone", "", ""),
    file("oss.conf", Unsupported, "the sound card of the machine is not a phone", "", ""),
    file("queues.conf", Unsupported, "there are no queues of agents", "", "queue"),
    file("queuerules.conf", Unsupported, "there are no queues of agents", "", "rule"),
    file("agents.conf", Unsupported, "there are no queues of agents", "", "agent"),
    file("voicemail.conf", Unsupported, "there is no voicemail", "", "context of mailboxes"),
    file("minivm.conf", Unsupported, "there is no voicemail", "", ""),
    file("manager.conf", Unsupported, "the manager interface (AMI) is not served", "programs may use `sidetone exec COMMAND` and GET /status", "account"),
    file("manager.d", Unsupported, "the manager interface (AMI) is not served", "", ""),
    file("ari.conf", Unsupported, "the REST interface (ARI) is not served", "", "account"),
    file("websocket_client.conf", Unsupported, "the exchange opens no WebSocket itself", "", "connection"),
    file("phoneprov.conf", Unsupported, "phones are not provisioned over HTTP", "serve their files under /static with enable_static=yes", "profile"),
    file("phoneprov_users.conf", Unsupported, "phones are not provisioned over HTTP", "", ""),
    file("parking.conf", Unsupported, "lots are read from res_parking.conf", "name it so", ""),
    file("followme.conf", Unsupported, "the application FollowMe is not there", "", "profile"),
    file("meetme.conf", Unsupported, "the conferences of DAHDI are not there; Asterisk 21 took them out", "see confbridge.conf", ""),
    file("sla.conf", Unsupported, "shared lines are not served", "", ""),
    file("dundi.conf", Unsupported, "DUNDi is not spoken", "", ""),
    file("enum.conf", Unsupported, "numbers are not looked up in ENUM", "", ""),
    file("phone.conf", Unsupported, "telephone cards are not driven", "", ""),
    file("festival.conf", Unsupported, "text is not spoken", "", ""),
    file("res_fax.conf", Unsupported, "faxes are not served", "", ""),
    file("udptl.conf", Unsupported, "faxes are not served", "", ""),
    file("res_snmp.conf", Unsupported, "SNMP is not served", "GET /status has the numbers", ""),
    file("hep.conf", Unsupported, "messages are not copied to a HEP server", "`sidetone run --sip-trace` prints them", ""),
    file("statsd.conf", Unsupported, "no numbers are sent to StatsD", "GET /status has them", ""),
    file("prometheus.conf", Unsupported, "no page for Prometheus is served", "GET /status has the numbers", ""),
    file("res_corosync.conf", Unsupported, "states are not shared with other servers", "", ""),
    file("stir_shaken.conf", Unsupported, "calls are not signed (RFC 8224)", "", ""),
    file("geolocation.conf", Unsupported, "positions are not passed on", "", ""),
    file("aeap.conf", Unsupported, "no external application is connected (AEAP)", "", ""),
    file("calendar.conf", Unsupported, "there are no calendars", "", "calendar"),
    file("res_ldap.conf", Unsupported, "objects are kept in files or a database, not in LDAP", "", ""),
    file("res_config_*.conf", Unsupported, "objects are kept in SQLite, MariaDB or PostgreSQL", "write database.conf with the URL of the database", ""),
    file("res_mysql.conf", Unsupported, "the connection of res_config_mysql", "write database.conf with `url=mysql://user@host/asterisk`", ""),
    file("func_odbc.conf", Unsupported, "the dial plan reaches no database", "", "function"),
    file("cel.conf", Unsupported, "events of channels are not recorded; call records are (cdr.conf)", "", ""),
    file("cel_*.conf", Unsupported, "events of channels are not recorded; call records are (cdr.conf)", "", ""),
    file("cdr_*.conf", Differs, "where call records go: they go to the database of the objects, into the table cdr", "", ""),
    file("extensions.ael", Unsupported, "the dial plan in AEL is not read", "Asterisk prints it in the other language: `dialplan save`, or `aelparse -w`", ""),
    file("extensions.lua", Unsupported, "the dial plan in Lua is not read", "write it into extensions.conf", ""),
    file("extensions_minivm.conf", Unsupported, "there is no voicemail", "", ""),
    file("codecs.conf", Differs, "parameters of codecs: they are agreed on in SDP", "", ""),
    file("dnsmgr.conf", Differs, "hosts of `type=identify` are looked up every minute", "", ""),
    file("dsp.conf", Differs, "how digits are found in the sound: as ITU-T Q.24 says, where dtmf_mode asks for it", "", ""),
    file("ccss.conf", Unsupported, "calls are not completed later (CCSS)", "", ""),
    file("say.conf", Unsupported, "numbers are not spoken", "", ""),
    file("smdi.conf", Unsupported, "SMDI is not spoken", "", ""),
    file("adsi.conf", Unsupported, "ADSI is not spoken", "", ""),
    file("alarmreceiver.conf", Unsupported, "alarms are not received", "", ""),
    file("amd.conf", Unsupported, "answering machines are not recognised", "", ""),
    file("app_*.conf", Unsupported, "a part of an application that is not there", "", ""),
    file("cli.conf", Differs, "commands that run at the start: none do", "use ExecStartPost= of the service with `sidetone exec`", ""),
    file("cli_aliases.conf", Differs, "the console has no other names for its commands", "", ""),
    file("cli_permissions.conf", Differs, "who may use the console is who may open its socket", "", ""),
    file("res_curl.conf", Unsupported, "nothing is fetched over HTTP by the dial plan", "", ""),
    file("resolver_unbound.conf", Differs, "names are looked up by the system's resolver", "", ""),
    file("res_stun_monitor.conf", Differs, "the exchange asks no STUN server", "", ""),
    file("res_http_media_cache.conf", Unsupported, "no sound is fetched over HTTP", "", ""),
    file("pjproject.conf", Differs, "settings of the library PJSIP, which is not used here", "", ""),
    file("pjsip_notify.conf", Unsupported, "NOTIFY is not sent from the console", "", ""),
    file("pjsip_wizard.conf", Unsupported, "objects are not made by the wizard", "write the endpoint, aor and auth into pjsip.conf", "object"),
    file("vpb.conf", Unsupported, "telephone cards are not driven", "", ""),
    file("telcordia-1.adsi", Unsupported, "ADSI is not spoken", "", ""),
    file("test_sorcery.conf", Works, "a file of Asterisk's own tests", "", ""),
    file("ss7.timers", Unsupported, "SS7 is not spoken", "", ""),
    file("config_test.conf", Works, "a file of Asterisk's own tests", "", ""),
];

/// Files whose phones and trunks are missing when they are not read.
const MISSED: [&str; 5] = [
    "pjsip_wizard.conf",
    "sip.conf",
    "sip_*.conf",
    "users.conf",
    "iax.conf",
];

/// A word about a file nobody reads, if there is any need.
pub(super) fn unread(name: &str) -> Option<Diagnostic> {
    let known = FILES.iter().find(|file| is_named(file.name, name));
    let Some(known) = known else {
        let bare = |name: &'static str| name.strip_suffix(".conf").unwrap_or(name);
        let own = name.strip_suffix(".conf").unwrap_or(name);
        let meant = closest(own, crate::FILES.map(bare));
        let (severity, advice) = match meant {
            Some(meant) => (
                Severity::Warning,
                format!("rename it if it is to be `{meant}.conf`"),
            ),
            None => (
                Severity::Info,
                format!("write `#include {name}` where its lines belong, if they are to count"),
            ),
        };
        return Some(Diagnostic::about_file(severity, name, "is not read").advise(advice));
    };
    if known.verdict == Works {
        return None;
    }
    let severity = match MISSED.iter().any(|missed| is_named(missed, name)) {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let message = format!("is not read: {}", known.about);
    let about = Diagnostic::about_file(severity, name, message);
    Some(match known.instead {
        "" => about,
        instead => about.advise(instead),
    })
}

fn is_named(pattern: &str, name: &str) -> bool {
    pattern == name || Wildcard::parse(pattern).is_some_and(|pattern| pattern.matches_name(name))
}

/// Judges a file nobody reads.
pub(super) fn judge(
    source: &dyn Source,
    name: &str,
    included: &mut BTreeSet<String>,
) -> FileReport {
    let known = FILES.iter().find(|file| is_named(file.name, name));
    let whole = |verdict, message: String, suggestion| Item {
        verdict,
        file: name.to_owned(),
        line: 0,
        column: 0,
        message,
        suggestion,
    };
    let Some(known) = known else {
        let names = FILES.iter().map(|file| file.name).chain(crate::FILES);
        let message = "nothing reads it: it is no file of Asterisk's that is known here".to_owned();
        let bare = |name: &'static str| name.strip_suffix(".conf").unwrap_or(name);
        let own = name.strip_suffix(".conf").unwrap_or(name);
        let meant = closest(own, names.map(bare).filter(|other| *other != own));
        let suggestion = meant.map(|meant| format!("did you mean `{meant}.conf`?"));
        let item = whole(Differs, message, suggestion);
        return FileReport {
            file: name.to_owned(),
            about: "not read".to_owned(),
            items: vec![item],
        };
    };
    let suggestion = (!known.instead.is_empty()).then(|| known.instead.to_owned());
    let mut items = vec![whole(known.verdict, known.about.to_owned(), suggestion)];
    let mut report = Report::default();
    // AEL and Lua are other languages.
    let is_conf = name.ends_with(".conf");
    let document = is_conf
        .then(|| Document::read(source, name, &mut report))
        .flatten();
    if let Some(document) = document.filter(|_| !known.noun.is_empty()) {
        included.extend(document.file_names().skip(1).map(str::to_owned));
        let sections = document.sections.iter().filter(|section| {
            !section.template
                && !matches!(
                    section.name.as_str(),
                    "general" | "globals" | "authentication" | "zonemessages"
                )
        });
        items.extend(sections.map(|section| Item {
            verdict: known.verdict,
            file: document.file(section.at).to_owned(),
            line: section.at.line,
            column: section.at.column,
            message: format!("{} {}: {}", known.noun, section.name, known.about),
            suggestion: None,
        }));
    }
    for message in report.finish() {
        items.push(Item {
            verdict: Differs,
            file: message.file,
            line: message.line,
            column: message.column,
            message: message.message,
            suggestion: message.suggestion,
        });
    }
    FileReport {
        file: name.to_owned(),
        about: "not read".to_owned(),
        items,
    }
}
