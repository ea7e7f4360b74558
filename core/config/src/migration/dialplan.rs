//! Applications and functions a dial plan uses.

use super::{Abilities, Item, Judged, Lacking, Verdict};
use conf::closest;
use dialplan::{Plan, Step, functions_used};
use std::collections::BTreeMap;

/// Applications of Asterisk the exchange may lack, by what is missing.
const APPLICATIONS: &[(&str, &[&str])] = &[
    (
        "calls are not connected to other parties by this application",
        &["FollowMe", "Page", "BridgeWait", "BridgeAdd"],
    ),
    (
        "there are no queues of agents",
        &[
            "Queue",
            "AddQueueMember",
            "RemoveQueueMember",
            "PauseQueueMember",
            "UnpauseQueueMember",
            "QueueLog",
            "QueueUpdate",
            "AgentLogin",
            "AgentRequest",
        ],
    ),
    (
        "there is no voicemail",
        &[
            "VoiceMail",
            "VoiceMailMain",
            "VMAuthenticate",
            "VMSayName",
            "VoiceMailPlayMsg",
            "MinivmRecord",
            "MinivmNotify",
            "Directory",
        ],
    ),
    (
        "no program runs on behalf of a call",
        &[
            "AGI",
            "EAGI",
            "DeadAGI",
            "FastAGI",
            "Stasis",
            "System",
            "TrySystem",
            "ExternalIVR",
            "AELSub",
        ],
    ),
    (
        "nothing is played, said or sent in this way",
        &[
            "BackgroundDetect",
            "ControlPlayback",
            "ReadExten",
            "SayUnixTime",
            "DateTime",
            "Festival",
            "MP3Player",
            "NBScat",
            "ICES",
            "Morsecode",
            "SpeechBackground",
            "SpeechStart",
        ],
    ),
    (
        "nothing is recorded",
        &[
            "Monitor",
            "StopMonitor",
            "Dictate",
            "ChanSpy",
            "ExtenSpy",
            "JackHook",
        ],
    ),
    (
        "there are no conferences",
        &[
            "ConfBridge",
            "ConfKick",
            "MeetMe",
            "MeetMeAdmin",
            "MeetMeCount",
        ],
    ),
    (
        "this application of the dial plan is not there",
        &[
            "MacroExclusive",
            "ImportVar",
            "ChangeMonitor",
            "Random",
            "WaitForRing",
            "WaitForCondition",
            "SetAMAFlags",
            "RaiseException",
        ],
    ),
    (
        "no application reaches a table of a database",
        &["RealTime", "RealTimeUpdate"],
    ),
    (
        "call records are not changed by the dial plan",
        &["ForkCDR", "CELGenUserEvent", "UserEvent"],
    ),
    (
        "the dial plan sends text alone, with MessageSend and SendText",
        &["SendImage", "SendURL", "JabberSend", "SMS"],
    ),
    (
        "faxes are not served",
        &["SendFAX", "ReceiveFAX", "FaxDetect"],
    ),
    (
        "there are no lines of another kind",
        &[
            "DAHDISendKeypadFacility",
            "DAHDIRAS",
            "Flash",
            "SendDtmf",
            "IAX2Provision",
            "AlarmReceiver",
            "Zapateller",
            "PrivacyManager",
            "DISA",
            "Answer3",
        ],
    ),
];

/// Functions of Asterisk the exchange may lack, by what is missing.
const FUNCTIONS: &[(&str, &[&str])] = &[
    (
        "no function reaches a table of a database",
        &[
            "REALTIME",
            "REALTIME_FIELD",
            "REALTIME_HASH",
            "REALTIME_STORE",
            "ODBC",
            "ODBC_FETCH",
            "SQL_ESC",
        ],
    ),
    (
        "this function of text and numbers is not there",
        &["IFMODULE", "JSON_DECODE", "AES_ENCRYPT", "AES_DECRYPT"],
    ),
    (
        "no program and no file is reached from the dial plan",
        &["SHELL", "FILE", "STAT", "CURL", "CURLOPT"],
    ),
    ("no call is completed later", &["CALLCOMPLETION"]),
    (
        "states of devices are not known to the dial plan",
        &[
            "PRESENCE_STATE",
            "SIPPEER",
            "SIPCHANINFO",
            "SIP_HEADER",
            "PJSIP_MEDIA_OFFER",
            "PJSIP_SEND_SESSION_REFRESH",
        ],
    ),
    (
        "there are no queues, no voicemail and no conferences",
        &[
            "QUEUE_MEMBER",
            "QUEUE_MEMBER_COUNT",
            "QUEUE_WAITING_COUNT",
            "QUEUE_VARIABLES",
            "VM_INFO",
            "VMCOUNT",
            "MAILBOX_EXISTS",
            "CONFBRIDGE",
            "CONFBRIDGE_INFO",
            "MEETME_INFO",
        ],
    ),
    (
        "what is heard is not changed by the dial plan",
        &[
            "VOLUME",
            "DENOISE",
            "AGC",
            "JITTERBUFFER",
            "TALK_DETECT",
            "PITCH_SHIFT",
            "AUDIOHOOK_INHERIT",
            "MIXMONITOR",
            "SPEECH",
            "FRAME_TRACE",
            "HOLD_INTERCEPT",
        ],
    ),
    (
        "the other party is not shown to the dial plan",
        &["SYSINFO", "ENUMLOOKUP", "TXTCIDNAME"],
    ),
];

/// Adds an item for each use of what is lacking, and returns what is lacking, by name.
pub(super) fn judge(
    plan: &Plan,
    abilities: Abilities<'_>,
    judged: &mut Judged,
) -> (Vec<Lacking>, Vec<Lacking>) {
    let mut applications: BTreeMap<String, Lacking> = BTreeMap::new();
    let mut functions: BTreeMap<String, Lacking> = BTreeMap::new();
    let contexts = plan
        .contexts()
        .flat_map(|(_, extensions)| extensions.iter());
    for step in contexts.flat_map(|extension| extension.steps.values()) {
        let name = &step.application;
        let has =
            |names: &[&str], name: &str| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        if !name.contains("${") && !has(abilities.applications, name) {
            let known = find(APPLICATIONS, name);
            let why = known.unwrap_or(
                "neither Asterisk nor the exchange has such an application, or a module brings it",
            );
            let meant = closest(name, abilities.applications.iter().copied());
            let suggestion = meant.filter(|_| known.is_none());
            lack(
                judged,
                &mut applications,
                step,
                "application",
                name,
                why,
                suggestion,
            );
        }
        let written = format!("{}({})", step.application, step.arguments);
        for name in functions_used(&written) {
            // Names of functions are compared with case.
            if abilities.functions.contains(&name) {
                continue;
            }
            let known = find(FUNCTIONS, name);
            let in_capitals = has(abilities.functions, name);
            let known =
                known.or_else(|| in_capitals.then_some("functions are written in capitals"));
            let why = known.unwrap_or(
                "neither Asterisk nor the exchange has such a function, or a module brings it",
            );
            let mut all = abilities.functions.iter().copied();
            let same = all.find(|own| own.eq_ignore_ascii_case(name));
            let meant = same.or_else(|| closest(name, abilities.functions.iter().copied()));
            let suggestion = meant.filter(|_| known.is_none() || in_capitals);
            lack(
                judged,
                &mut functions,
                step,
                "function",
                name,
                why,
                suggestion,
            );
        }
    }
    (
        applications.into_values().collect(),
        functions.into_values().collect(),
    )
}

fn find(groups: &[(&'static str, &[&str])], name: &str) -> Option<&'static str> {
    let group = groups
        .iter()
        .find(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    group.map(|(why, _)| *why)
}

fn lack(
    judged: &mut Judged,
    lacking: &mut BTreeMap<String, Lacking>,
    step: &Step,
    what: &str,
    name: &str,
    why: &'static str,
    meant: Option<&str>,
) {
    let entry = lacking
        .entry(name.to_ascii_lowercase())
        .or_insert_with(|| Lacking {
            name: name.to_owned(),
            why,
            places: Vec::new(),
        });
    let place = format!("{}:{}", step.file, step.line);
    if !entry.places.contains(&place) {
        entry.places.push(place);
    }
    judged.add(Item {
        verdict: Verdict::Unsupported,
        file: step.file.to_string(),
        line: step.line,
        column: step.column,
        message: format!("{what} {name}: {why}"),
        suggestion: meant.map(|meant| format!("did you mean `{meant}`?")),
    });
}
