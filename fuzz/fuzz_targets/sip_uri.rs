//! URIs and addresses: they print as they came, equal themselves, and equality has no direction.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{NameAddr, Uri};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(address) = NameAddr::parse(text) {
        assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }
    let mut uris = text.splitn(2, '\n').map(str::parse::<Uri>);
    let Some(Ok(first)) = uris.next() else { return };
    assert_eq!(first.to_string().parse::<Uri>().as_ref(), Ok(&first));
    assert!(first.equivalent(&first));
    if let Some(host) = first.host() {
        let made = Uri::sip(first.user().as_deref(), host, first.port());
        assert_eq!(made.user(), first.user());
        let tagged = first.with_param("x-added", Some("<1>"));
        // Full of parameters, it stays as it is.
        assert!(tagged.param("x-added").is_some() || tagged == first);
    }
    if let Some(Ok(second)) = uris.next() {
        assert_eq!(first.equivalent(&second), second.equivalent(&first));
    }
});
