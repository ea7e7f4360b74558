//! The option tables, held against the options of Asterisk 23 and their defaults.

use config::{
    Acl, Aor, Applied, Auth, BridgeProfile, Cdr, DomainAlias, Endpoint, FeatureGeneral, FeatureMap,
    Global, Identify, Logger, Menu, Object, Registration, Rtp, Severity, System, TransportConfig,
    UserProfile, load,
};
use std::collections::BTreeMap;

/// One line of `fixtures/options.csv`, which holds every option of the files the exchange reads.
struct Option {
    file: &'static str,
    object: &'static str,
    name: &'static str,
    default: &'static str,
}

fn of_asterisk() -> impl Iterator<Item = Option> {
    let lines = include_str!("fixtures/options.csv").lines().skip(1);
    lines.map(|line| {
        let mut fields = line.splitn(4, ',');
        let mut next = || fields.next().unwrap_or_default();
        Option {
            file: next(),
            object: next(),
            name: next(),
            default: next(),
        }
    })
}

fn check<T: Object>(file: &str, object: &str) {
    let options: BTreeMap<&str, &str> = of_asterisk()
        .filter(|option| option.file == file && option.object == object && option.name != "type")
        .map(|option| (option.name, option.default))
        .collect();
    assert!(!options.is_empty(), "{file} has no {object}");
    // Asterisk reads it, and does not document it.
    let told = |row: &&config::Row<T>| row.name != "automon";
    for row in T::OPTIONS.iter().filter(told) {
        let default = options.get(row.name);
        let default = default.unwrap_or_else(|| panic!("{} is not Asterisk's", row.name));
        // Where Asterisk's own name stands in a default, ours stands; algorithms are spelt out, and every
        // challenge is answered unless it is forbidden. An empty default of the list is one nobody wrote
        // down.
        let differs = [
            "user_agent",
            "servername",
            "default_auth_algorithms_uas",
            "default_auth_algorithms_uac",
        ];
        if !differs.contains(&row.name) && !default.is_empty() {
            assert_eq!(row.default, *default, "{} {}", T::KIND, row.name);
        }
        assert!(row.doc.ends_with('.'), "{} has no sentence", row.name);
    }
    let sorted = T::OPTIONS
        .windows(2)
        .all(|pair| pair[0].name < pair[1].name);
    assert!(sorted, "the rows of {} are not in order", T::KIND);
    for option in options.keys() {
        let applied = T::named("x").set(option, "\u{1}");
        let free = matches!(*option, "sound_" | "^[0-9A-D*#]+$");
        assert!(free || applied != Applied::Unknown, "{} {option}", T::KIND);
    }
    assert_eq!(T::named("x").set("nosuchoption", "1"), Applied::Unknown);
}

#[test]
fn every_option_of_asterisk_is_known_and_defaults_agree() {
    check::<Aor>("pjsip.conf", "aor");
    check::<Auth>("pjsip.conf", "auth");
    check::<Endpoint>("pjsip.conf", "endpoint");
    check::<Global>("pjsip.conf", "global");
    check::<System>("pjsip.conf", "system");
    check::<TransportConfig>("pjsip.conf", "transport");
    check::<Identify>("pjsip.conf", "identify");
    check::<Registration>("pjsip.conf", "registration");
    check::<Acl>("pjsip.conf", "acl");
    check::<DomainAlias>("pjsip.conf", "domain_alias");
    check::<Rtp>("rtp.conf", "general");
    check::<Cdr>("cdr.conf", "general");
    check::<Logger>("logger.conf", "general");
    check::<FeatureGeneral>("features.conf", "globals");
    check::<FeatureMap>("features.conf", "featuremap");
    check::<UserProfile>("confbridge.conf", "user_profile");
    check::<BridgeProfile>("confbridge.conf", "bridge_profile");
    check::<Menu>("confbridge.conf", "menu");
}

/// A value most options can read; where one cannot, that is said, and the option is known all the same.
const VALUE: &str = "10";

/// A file in which the option stands alone, with what its section needs besides.
fn file_with(option: &Option) -> String {
    let (object, name) = (option.object, option.name);
    let line = match name {
        "sound_" => "sound_join = beep".to_owned(),
        "^[0-9A-D*#]+$" => "1 = toggle_mute".to_owned(),
        "" => "word => *9,self,NoOp".to_owned(),
        "exten" => "exten => 1,1,NoOp()".to_owned(),
        "same" => "exten => 1,1,NoOp()\nsame => n,NoOp()".to_owned(),
        name if name.starts_with('(') => "one => notice".to_owned(),
        name => format!("{name} = {VALUE}"),
    };
    let section = match object {
        "user_profile" => "x]\ntype=user",
        "bridge_profile" => "x]\ntype=bridge",
        "menu" => "x]\ntype=menu",
        "globals" if option.file == "features.conf" => "general]",
        "featuregroup" => "x]",
        "context" => "x]",
        "(name , value)" | "ice_host_candidates" => "ice_host_candidates]",
        object if object.starts_with("restriction") => "/ws]\ntype=restriction",
        object if option.file == "pjsip.conf" => return format!("[x]\ntype={object}\n{line}\n"),
        object => return format!("[{object}]\n{line}\n"),
    };
    format!("[{section}\n{line}\n")
}

/// Every option of the list is implemented, or said to have no effect with the reason, and none is
/// unknown: what `load` says of a file with that option alone.
#[test]
fn every_option_in_its_file_is_implemented_or_has_a_reason() {
    let (mut acted_on, mut reasons) = (0, 0);
    for option in of_asterisk().filter(|option| option.name != "type") {
        let text = file_with(&option);
        let (_, diagnostics) = load(&[(option.file, text.as_str())].as_slice());
        let place = format!("{} {} {}", option.file, option.object, option.name);
        let mut reason = false;
        for diagnostic in &diagnostics {
            let message = &diagnostic.message;
            assert!(
                !message.contains("is not known") && !message.contains("is no type"),
                "{place}: {diagnostic}"
            );
            if message.contains("no effect") {
                assert!(message.contains(", because "), "{place}: {diagnostic}");
                assert!(diagnostic.severity <= Severity::Warning, "{place}");
                reason = true;
            }
        }
        if reason {
            reasons += 1;
        } else {
            acted_on += 1;
        }
    }
    // Options may only move from those with a reason to those that act.
    let all = acted_on + reasons;
    assert!(acted_on >= 316 && all >= 476, "{acted_on} {reasons}");
}

/// A default written out is the same as a default left out.
fn check_defaults<T: Object + PartialEq + std::fmt::Debug>() {
    let mut written = T::named("x");
    for row in T::OPTIONS.iter().filter(|row| !row.default.is_empty()) {
        // The name of a recording is made when it begins.
        if row.name == "record_file" {
            continue;
        }
        let applied = written.set(row.name, row.default);
        let good = matches!(applied, Applied::Set | Applied::Inert(_));
        assert!(good, "{} {}: {applied:?}", T::KIND, row.name);
    }
    assert_eq!(written, T::named("x"));
}

#[test]
fn an_object_without_options_has_the_defaults_of_its_table() {
    check_defaults::<Aor>();
    check_defaults::<Auth>();
    check_defaults::<Endpoint>();
    check_defaults::<Global>();
    check_defaults::<System>();
    check_defaults::<Rtp>();
    check_defaults::<config::ParkingLot>();
    check_defaults::<TransportConfig>();
    check_defaults::<Identify>();
    check_defaults::<Registration>();
    check_defaults::<Acl>();
    check_defaults::<DomainAlias>();
    check_defaults::<Cdr>();
    check_defaults::<Logger>();
    check_defaults::<FeatureGeneral>();
    check_defaults::<FeatureMap>();
    check_defaults::<UserProfile>();
    check_defaults::<BridgeProfile>();
    check_defaults::<Menu>();
}

#[test]
fn a_row_of_a_database_is_read_by_the_same_table() {
    let columns = [
        ("allow", "opus,vp8"),
        ("disallow", "all"),
        ("webrtc", "1"),
        ("callerid", ""),
        ("max_video_streams", "8"),
        ("mailboxes", "1@default"),
        ("colour_of_the_phone", "red"),
    ];
    let (endpoint, bad) = Endpoint::from_columns("alice", &columns).expect("a good row");
    assert_eq!(bad, []);
    assert_eq!(
        endpoint.allow.len(),
        2,
        "disallow must not come after allow"
    );
    assert!(endpoint.webrtc && endpoint.rtcp_mux);
    assert_eq!(endpoint.max_video_streams, 8);
    let broken = Endpoint::from_columns("alice", &[("max_video_streams", "many")]);
    let broken = broken.expect_err("a broken row").to_string();
    assert_eq!(broken, "max_video_streams is not a number from 0 to 256");
}
