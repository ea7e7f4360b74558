//! Any text of any file makes a snapshot whose endpoints are whole, and a report for who moves from
//! Asterisk. What is wrong has its place and a suggestion.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let files: Vec<(&str, &str)> = config::FILES.iter().map(|file| (*file, text)).collect();
    let (config, diagnostics) = config::load(&files.as_slice());
    let config = config.expect("files in memory can be read");
    for (id, subscriber) in &config.endpoints {
        assert_eq!(*id, subscriber.endpoint.id);
        assert!(subscriber.auths.len() <= subscriber.endpoint.auth.len());
        let endpoint = &subscriber.endpoint;
        assert!(!endpoint.webrtc || (endpoint.rtcp_mux && endpoint.ice_support));
    }
    for diagnostic in &diagnostics {
        assert!(!diagnostic.to_string().is_empty());
        let is_note = diagnostic.severity == config::Severity::Info;
        assert!(is_note || diagnostic.suggestion.is_some(), "{diagnostic}");
    }
    let abilities = config::migration::Abilities {
        applications: &["Answer"],
        functions: &["CALLERID"],
    };
    let report = config::migration::migration(&files.as_slice(), abilities, &[]);
    assert!(report.files.len() >= files.len());
    assert!(config.rtp.ports.start() < config.rtp.ports.end());
});
