//! The option tables, held against the options of Asterisk 23 and their defaults.

use config::{Aor, Applied, Auth, Endpoint, Global, Object, Rtp, TransportConfig};
use std::collections::BTreeMap;

/// Options of `fixtures/options.csv` with their defaults, by object.
fn of_asterisk() -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let mut objects: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in include_str!("fixtures/options.csv").lines().skip(1) {
        let mut fields = line.splitn(3, ',');
        let mut next = || fields.next().expect("a line has three fields");
        let (object, option, default) = (next(), next(), next());
        objects.entry(object).or_default().insert(option, default);
    }
    objects
}

fn check<T: Object>() {
    let objects = of_asterisk();
    let options = &objects[T::KIND];
    for row in T::OPTIONS {
        let default = options.get(row.name);
        let default = default.unwrap_or_else(|| panic!("{} is not Asterisk's", row.name));
        // Where Asterisk's own name stands in a default, ours stands; algorithms are spelt out.
        let differs = ["user_agent", "servername", "default_auth_algorithms_uas"];
        let unwritten = ["context", "support_path", "dtls_auto_generate_cert"];
        if !differs.contains(&row.name) && !unwritten.contains(&row.name) {
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
        assert_ne!(applied, Applied::Unknown, "{} {option}", T::KIND);
    }
    assert_eq!(T::named("x").set("nosuchoption", "1"), Applied::Unknown);
}

#[test]
fn every_option_of_asterisk_is_known_and_defaults_agree() {
    check::<Aor>();
    check::<Auth>();
    check::<Endpoint>();
    check::<Global>();
    check::<Rtp>();
    check::<TransportConfig>();
}

/// A default written out is the same as a default left out.
fn check_defaults<T: Object + PartialEq + std::fmt::Debug>() {
    let mut written = T::named("x");
    for row in T::OPTIONS.iter().filter(|row| !row.default.is_empty()) {
        let applied = written.set(row.name, row.default);
        assert_eq!(applied, Applied::Set, "{} {}", T::KIND, row.name);
    }
    assert_eq!(written, T::named("x"));
}

#[test]
fn an_object_without_options_has_the_defaults_of_its_table() {
    check_defaults::<Aor>();
    check_defaults::<Auth>();
    check_defaults::<Endpoint>();
    check_defaults::<Global>();
    check_defaults::<Rtp>();
    check_defaults::<TransportConfig>();
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
