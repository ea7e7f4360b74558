//! Any text of pjsip.conf, http.conf and rtp.conf makes a snapshot whose endpoints are whole.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let files = [
        ("pjsip.conf", text),
        ("http.conf", text),
        ("rtp.conf", text),
    ];
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
    }
    assert!(config.rtp.ports.start() < config.rtp.ports.end());
});
