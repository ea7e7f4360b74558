//! URIs (RFC 3261 §19.1): equal where the RFC says so, taken apart, and made of whatever a person wrote.

use sip::{Host, Uri, limits};

/// RFC 3261 §19.1.4, its examples.
#[test]
fn uris_are_equal_where_the_rfc_says_so() {
    let equivalent = |a: &str, b: &str| {
        let (a, b): (Uri, Uri) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(a.equivalent(&b), b.equivalent(&a), "{a} {b}");
        a.equivalent(&b)
    };
    for (a, b) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:carol@chicago.com;newparam=5",
            "sip:carol@chicago.com;security=on",
        ),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ] {
        assert!(equivalent(a, b), "{a} {b}");
    }
    for (a, b) in [
        (
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
        ),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
        ),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a%00@b", "sip:a@b"),
    ] {
        assert!(!equivalent(a, b), "{a} {b}");
    }
}

#[test]
fn repeated_and_countless_uri_parameters_do_no_harm() {
    let twice: Uri = "sip:a@b;x=1;x=2".parse().unwrap();
    assert!(twice.equivalent(&twice));
    let most = format!("sip:a@b{}", ";x".repeat(limits::URI_PARAMS_MAX));
    assert!(most.parse::<Uri>().is_ok());
    assert!(format!("{most};x").parse::<Uri>().is_err());
    let most: Uri = most.parse().unwrap();
    assert_eq!(most.with_param("y", Some("1")), most);
}

#[test]
fn uris_of_our_own_are_always_well_made() {
    let made = |user: Option<&str>, host: &str| Uri::sip(user, &Host::Name(host.into()), None);
    assert_eq!(made(Some(""), "b").as_str(), "sip:b");
    assert_eq!(
        made(Some("a>;x=1\r\nX: y"), "b c>\r\n").as_str(),
        "sip:a%3E;x=1%0D%0AX%3A%20y@b-c---"
    );
    assert_eq!(made(None, "").as_str(), "sip:-");
    let tagged = made(None, "b").with_param("x y", Some("a;b=c"));
    assert_eq!(tagged.as_str(), "sip:b;x%20y=a%3Bb%3Dc");
    let bare = made(None, "b").with_param("", None);
    assert_eq!(bare.host(), made(None, "b").host());
}

#[test]
fn uris_come_apart() {
    let uri: Uri =
        "sips:al%20ice;x=1:pa%3Ass@[2001:DB8::1]:5061;transport=wss;lr?Replaces=a%3Bto-tag%3D1&b="
            .parse()
            .unwrap();
    assert!(uri.is_secure() && uri.is_sip());
    assert_eq!(uri.user().as_deref(), Some("al ice;x=1"));
    assert_eq!(uri.password(), Some("pa%3Ass"));
    assert_eq!(uri.host().unwrap().to_string(), "[2001:db8::1]");
    assert_eq!(uri.port(), Some(5061));
    assert_eq!(uri.param("TRANSPORT"), Some("wss"));
    assert_eq!(uri.param("lr"), Some(""));
    assert_eq!(uri.header("replaces").as_deref(), Some("a;to-tag=1"));
    assert_eq!(
        uri.address(),
        "sips:al%20ice;x=1:pa%3Ass@[2001:DB8::1]:5061"
    );
    let made = Uri::sip(Some("a b@c"), uri.host().unwrap(), Some(5060));
    assert_eq!(made.as_str(), "sip:a%20b%40c@[2001:db8::1]:5060");
    assert_eq!(made.user().as_deref(), Some("a b@c"));
    assert_eq!(
        made.with_param("transport", Some("ws")).param("transport"),
        Some("ws")
    );
    for bad in [
        "sip:",
        "sip:@b",
        "sip:a@",
        "sip:a@b:",
        "sip:a@b:x",
        "sip:a@[::1",
        "sip:a@::1",
        "a@b",
        ":a",
        "sip:a b@c",
        "sip:a%2@b",
        "sip:a%zz@b",
        "sip:a@b c",
        "sip:a@b;x=<",
        "sip:a@b\r\n",
        "tel:",
        "1x:y",
    ] {
        assert!(bad.parse::<Uri>().is_err(), "{bad:?}");
    }
    let tel: Uri = "tel:+1-201-555-0123".parse().unwrap();
    assert_eq!(
        (tel.scheme(), tel.is_sip(), tel.user()),
        ("tel", false, None)
    );
}
