//! What each option makes of its value.

use config::{
    Applied, Auth, AuthKind, CallerId, Config, Credential, DigestAlgorithm, DtmfMode, Endpoint,
    Fault, Object, Rtp, Secret, Severity, StrictRtp, TransportConfig, load,
};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn codecs(values: &[(&str, &str)]) -> String {
    let mut endpoint = Endpoint::named("x");
    for (name, value) in values {
        assert_eq!(endpoint.set(name, value), Applied::Set, "{name}={value}");
    }
    let names: Vec<&str> = endpoint.allow.iter().map(|codec| codec.name).collect();
    names.join(",")
}

#[test]
fn codecs_are_taken_in_and_out_in_the_order_written() {
    let all = codecs(&[("allow", "all")]);
    assert_eq!(codecs(&[("allow", "vp8, opus,ulaw")]), "vp8,opus,ulaw");
    assert_eq!(
        codecs(&[("allow", "opus"), ("allow", "ulaw,opus")]),
        "opus,ulaw"
    );
    assert_eq!(codecs(&[("allow", "all"), ("disallow", "all")]), "");
    assert_eq!(codecs(&[("allow", "!all,alaw")]), "alaw");
    assert_eq!(codecs(&[("allow", "opus,ulaw,!opus")]), "ulaw");
    assert_eq!(
        codecs(&[("allow", "opus,ulaw"), ("disallow", "opus")]),
        "ulaw"
    );
    assert_eq!(codecs(&[("allow", "ulaw:20,PCMA")]), "ulaw,alaw");
    assert_eq!(codecs(&[("allow", "opus"), ("allow", "all")]), all);
    assert_eq!(codecs(&[("disallow", "g729")]), "");
}

#[test]
fn a_codec_only_asterisk_has_is_left_out_alone() {
    let mut endpoint = Endpoint::named("x");
    let Applied::Fault(fault) = endpoint.set("allow", "g729,ulaw,gsm") else {
        panic!("taken as it is");
    };
    assert!(!fault.drops());
    assert_eq!(
        fault.to_string(),
        "names the codecs `g729`, `gsm`, which are not served here and left out"
    );
    assert_eq!(endpoint.allow.len(), 1);
}

#[test]
fn caller_ids_have_a_name_and_a_number() {
    let read = |value: &str| {
        let mut endpoint = Endpoint::named("x");
        endpoint.set("callerid", value);
        endpoint.caller_id
    };
    let of = |name: &str, number: &str| Some(CallerId::new(name, number));
    assert_eq!(read("\"Alice A.\" <100>"), of("Alice A.", "100"));
    assert_eq!(read("Alice <+49 30 1>"), of("Alice", "+49 30 1"));
    assert_eq!(read("<100>"), of("", "100"));
    assert_eq!(read("100"), of("", "100"));
    assert_eq!(read("Alice"), of("Alice", ""));
    assert_eq!(read(""), None);
}

#[test]
fn auths_are_checked_by_the_secret_of_their_kind() {
    let md5 = "00112233445566778899AABBCCDDEEFF";
    let columns = |kind| [("auth_type", kind), ("password", "p"), ("md5_cred", md5)];
    let auth = |kind| {
        Auth::from_columns("x", &columns(kind))
            .expect("a good row")
            .0
    };
    let password = Secret::new("p");
    let hash = Secret::new(md5.to_ascii_lowercase());
    let (of_md5, of_sha) = (DigestAlgorithm::Md5, DigestAlgorithm::Sha256);

    let plain = auth("userpass");
    assert_eq!(
        plain.credential(of_md5),
        Some(Credential::Password(&password))
    );
    let hashed = auth("md5");
    assert_eq!(hashed.credential(of_md5), Some(Credential::Ha1(&hash)));
    assert_eq!(hashed.credential(of_sha), None);
    let both = auth("digest");
    assert_eq!(both.credential(of_md5), Some(Credential::Ha1(&hash)));
    assert_eq!(
        both.credential(of_sha),
        Some(Credential::Password(&password))
    );
    assert_eq!(both.kind, AuthKind::Digest);
    assert_eq!(Auth::named("x").kind, AuthKind::Digest);
}

#[test]
fn hashes_name_their_algorithm() {
    let mut auth = Auth::named("x");
    let sha = format!("SHA-256:{}", "a".repeat(64));
    assert_eq!(auth.set("password_digest", &sha), Applied::Set);
    assert_eq!(
        auth.set("password_digest", &format!("md5:{}", "0".repeat(32))),
        Applied::Set
    );
    assert!(auth.credential(DigestAlgorithm::Sha256).is_some());
    assert!(auth.credential(DigestAlgorithm::Md5).is_some());
    assert!(auth.credential(DigestAlgorithm::Sha512_256).is_none());
    for bad in [
        "abc",
        "MD5:abc",
        &format!("SHA-256:{}", "0".repeat(32)),
        "MD5:",
    ] {
        let applied = auth.set("password_digest", bad);
        assert_eq!(applied, Applied::Fault(Fault::NotDigest), "{bad}");
    }
    assert_eq!(
        auth.set("supported_algorithms_uas", "sha-256, MD5"),
        Applied::Set
    );
    assert_eq!(
        auth.algorithms,
        [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]
    );
    assert!(!format!("{auth:?}").contains("aaaa"), "a hash is a secret");
}

#[test]
fn transports_listen_on_the_port_of_their_protocol() {
    let bind = |protocol, bind| {
        let columns = [("protocol", protocol), ("bind", bind)];
        let transport = TransportConfig::from_columns("x", &columns);
        transport.map(|(transport, _)| transport.bind.to_string())
    };
    let good = [
        ("udp", "0.0.0.0", "0.0.0.0:5060"),
        ("tls", "0.0.0.0", "0.0.0.0:5061"),
        ("wss", "127.0.0.1:5080", "127.0.0.1:5080"),
        ("udp", "::", "[::]:5060"),
        ("udp", "[::]", "[::]:5060"),
        ("udp", "[::1]:5070", "[::1]:5070"),
        ("udp", "localhost", "127.0.0.1:5060"),
        ("udp", "localhost:1", "127.0.0.1:1"),
    ];
    for (protocol, written, expected) in good {
        assert_eq!(bind(protocol, written).as_deref(), Ok(expected));
    }
    for bad in [
        "example.com",
        "0.0.0.0:x",
        "0.0.0.0:70000",
        "localhostile",
        "1.2.3",
    ] {
        assert!(bind("udp", bad).is_err(), "{bad}");
    }
}

#[test]
fn words_are_read_without_case() {
    let mut endpoint = Endpoint::named("x");
    assert_eq!(endpoint.set("DTMF_Mode", "INFO"), Applied::Set);
    assert_eq!(endpoint.dtmf_mode, DtmfMode::Info);
    assert_eq!(endpoint.set("set_var", "GREETING = hello=1"), Applied::Set);
    assert_eq!(
        endpoint.set_var,
        [("GREETING".to_owned(), "hello=1".to_owned())]
    );
    let mut rtp = Rtp::named("");
    for (value, strict) in [
        ("no", StrictRtp::No),
        ("seqno", StrictRtp::SeqNo),
        ("on", StrictRtp::Yes),
    ] {
        assert_eq!(rtp.set("strictrtp", value), Applied::Set);
        assert_eq!(rtp.strict_rtp, strict);
    }
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &Expect) -> Config {
    let (config, diagnostics) = load(&files);
    let shown = diagnostics.iter().filter(|d| d.severity > Severity::Info);
    let shown: String = shown.map(|d| format!("{} {d}\n", d.severity)).collect();
    expected.assert_eq(&shown);
    config.expect("files in memory can be read")
}

#[test]
fn broken_options_of_the_web_server_are_left_out_alone() {
    let text = "\
[general]
enabled=yes
bindaddr=here
bindport=80a
tlsenable=yes
redirect=/here
redirect=here /there
prefix=/pbx/
sessionlimit=0
enable_static=on
[post_mappings]
uploads=/var
";
    let config = check(
        &[("http.conf", text)],
        &expect![[r#"
            warning http.conf:1:2: enabled=yes needs `bindaddr`: nothing listens
             1 | [general]
               |  ^
               = add for example `bindaddr=0.0.0.0`
            error http.conf:1:2: tlsenable=yes needs `tlsbindaddr`: nothing listens
             1 | [general]
               |  ^
               = add for example `tlsbindaddr=0.0.0.0:8089`
            error http.conf:3:10: option is left out: bindaddr is not an IP address with an optional port
             3 | bindaddr=here
               |          ^
               = write for example `0.0.0.0`, `192.0.2.1:5060` or `[::]:5060`
            error http.conf:4:10: option is left out: bindport is not a number from 1 to 65535
             4 | bindport=80a
               |          ^
               = write a number from 1 to 65535
            error http.conf:6:10: option is left out: redirect is not two paths, `/from /to`
             6 | redirect=/here
               |          ^
               = write for example `redirect=/phone /static/phone/index.html`
            error http.conf:7:10: option is left out: redirect is not two paths, `/from /to`
             7 | redirect=here /there
               |          ^
               = write for example `redirect=/phone /static/phone/index.html`
            error http.conf:9:14: option is left out: sessionlimit is not a number from 1 to 1000000
             9 | sessionlimit=0
               |              ^
               = write a number from 1 to 1000000
        "#]],
    );
    assert_eq!((config.http.bind, config.http.tls), (None, None));
    assert_eq!(config.http.prefix, "/pbx");
    assert!(config.http.static_files);
}

#[test]
fn https_falls_back_to_the_address_of_http_and_the_key_to_the_certificate() {
    let text = "[general]\nbindaddr=::1\ntlsenable=yes\ntlscertfile=/a.pem\n";
    let config = check(&[("http.conf", text)], &expect![[""]]);
    assert_eq!(config.http.bind, None, "enabled is no by default");
    let tls = config.http.tls.expect("HTTPS is asked for");
    assert_eq!(
        (tls.bind.to_string().as_str(), tls.private_key.as_str()),
        ("[::1]:8089", "/a.pem")
    );
}

#[test]
fn a_port_beside_the_address_of_http_is_taken() {
    let text = "[general]\nenabled=yes\nbindaddr=127.0.0.1:80\n";
    let config = check(&[("http.conf", text)], &expect![[""]]);
    assert_eq!(
        config.http.bind.map(|bind| bind.to_string()),
        Some("127.0.0.1:80".to_owned())
    );
}

#[test]
fn a_range_of_ports_that_is_none_is_not_used() {
    let text = "[general]\nrtpstart=20000\nrtpend=10000\nstrictrtp=maybe\n";
    let config = check(
        &[("rtp.conf", text)],
        &expect![[r#"
            error rtp.conf:1:2: rtpstart 20000 is not below rtpend 10000: ports 5000 to 31000 are used
             1 | [general]
               |  ^
               = write for example `rtpstart=10000` and `rtpend=20000`
            error rtp.conf:4:11: option is left out: strictrtp is neither yes nor no
             4 | strictrtp=maybe
               |           ^
               = write `yes` or `no`
        "#]],
    );
    assert_eq!(config.rtp.ports, 5000..=31000);
    let good = "[general]\nrtpend=20000\nrtpstart=10000\n";
    let config = check(&[("rtp.conf", good)], &expect![[""]]);
    assert_eq!(config.rtp.ports, 10000..=20000);
}

#[test]
fn sections_that_are_no_objects_say_why() {
    let text = "\
[a]
allow=opus
[b]
type=endpiont
[c]
type=identify
endpoint=a
[d]
type=aor
max_contacts=1
[d]
type=aor
max_contacts=2
[global]
type=global
user_agent=Exchange
max_forwards=0
[e]
type=endpoint
aors=f
context=sets
[f]
type=aor
";
    let plan = "[sets]\nexten => 1,1,Answer()\n";
    let config = check(
        &[("pjsip.conf", text), ("extensions.conf", plan)],
        &expect![[r#"
            warning pjsip.conf:1:2: section `a` has no `type=` and is not used
             1 | [a]
               |  ^
               = add for example `type=endpoint`, or `(!)` after the name of a template
            error pjsip.conf:4:6: `endpiont` is no type; section `b` is not used
             4 | type=endpiont
               |      ^
               = did you mean `endpoint`?
            error pjsip.conf:5:2: identify `c` fits no request and is not used
             5 | [c]
               |  ^
               = add `match=ADDRESS` or `match_header=NAME: VALUE`
            error pjsip.conf:11:2: aor `d` is defined already in line 8; this one is left out
             11 | [d]
                |  ^
                = write `[d](+)` to add to the first one, or give this one another name
            error pjsip.conf:17:14: global `global` is not used: max_forwards is not a number from 1 to 255
             17 | max_forwards=0
                |              ^
                = write a number from 1 to 255
            warning pjsip.conf:18:2: endpoint `e` allows no codec: its calls will be refused
             18 | [e]
                |  ^
                = add for example `allow=opus,ulaw,vp8`
            warning pjsip.conf:18:2: aor `f` has max_contacts=0: `e` cannot register
             18 | [e]
                |  ^
                = add `max_contacts=1` to aor `f`
        "#]],
    );
    assert_eq!(config.aors["d"].max_contacts, 1);
    assert_eq!(config.global.user_agent, None);
}

#[test]
fn a_file_that_cannot_be_read_makes_no_snapshot() {
    struct Locked;
    impl config::Source for Locked {
        fn read(&self, name: &str) -> Result<Option<String>, String> {
            match name {
                "pjsip.conf" => Err("permission denied".to_owned()),
                _ => Ok(None),
            }
        }
    }
    let (config, diagnostics) = load(&Locked);
    assert!(config.is_none());
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["pjsip.conf: cannot be read: permission denied"]);
}

#[test]
fn no_secret_reaches_a_message_or_the_debug_form() {
    let text = "\
[a]
type=auth
password=hunter2
pasword=hunter2
md5_cred=hunter2
[b]
type=auth
password=hunter2
secret=hunter2
username_password=hunter2
[c]
type=endpoint
password=hunter2
context=sets
";
    let (config, diagnostics) = load(&[("pjsip.conf", text)].as_slice());
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(diagnostics.len() >= 5);
    for diagnostic in diagnostics {
        assert!(!diagnostic.to_string().contains("hunter2"), "{diagnostic}");
    }
}

proptest! {
    #[test]
    fn any_text_makes_a_snapshot(
        lines in proptest::collection::vec(
            prop_oneof![
                r"\[[a-c]\](\([!+a-c]{0,3}\))?",
                "(type|allow|auth|aors|bind|webrtc|password_digest|rtpstart|redirect)=.{0,12}",
                "type=(endpoint|auth|aor|transport|global|system|identify|registration|acl|domain_alias)",
                "protocol=(udp|tcp|tls|ws|wss)",
                "(match|match_header|deny|permit|acl|server_uri|timers|exten|same|include)(=|=>).{0,12}",
                "(allow|disallow)=[!,:0-9]{0,3}(opus|all|ulaw|g729)[!,]{0,2}",
                ".{0,30}",
            ],
            0..25,
        ),
    ) {
        let text = lines.join("\n");
        let files: Vec<(&str, &str)> = config::FILES.iter().map(|file| (*file, text.as_str())).collect();
        let (config, diagnostics) = load(&files.as_slice());
        prop_assert!(config.is_some());
        let abilities = config::migration::Abilities {
            applications: &["Answer"],
            functions: &["CALLERID"],
        };
        let report = config::migration::migration(&files.as_slice(), abilities, &[]);
        prop_assert!(report.files.len() >= files.len());
        for diagnostic in diagnostics.iter().filter(|d| d.severity > Severity::Info) {
            prop_assert!(diagnostic.suggestion.is_some(), "{diagnostic}");
            prop_assert!(diagnostic.line == 0 || diagnostic.excerpt.is_some(), "{diagnostic}");
        }
    }
}

#[test]
fn a_hash_that_is_none_is_told_what_it_should_be() {
    let mut auth = Auth::new("a");
    let applied = auth.set("md5_cred", "secret");
    assert_eq!(applied, Applied::Fault(Fault::NotMd5));
    let hash = "0123456789abcdef0123456789ABCDEF";
    assert_eq!(auth.set("md5_cred", hash), Applied::Set);
    let short = format!("MD5:{}", &hash[1..]);
    let applied = auth.set("password_digest", &short);
    assert_eq!(applied, Applied::Fault(Fault::NotDigest));
}

#[test]
fn a_level_nobody_knows_does_not_silence_the_log() {
    let files = [(
        "logger.conf",
        "[logfiles]\nconsole => notice,warning,erro\n",
    )];
    let (config, messages) = load(&files.as_slice());
    let levels = &config.unwrap().logger.channels[0].levels;
    assert_eq!(levels.len(), 2, "{levels:?}");
    let said: Vec<_> = messages.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("logger.conf:2:12: console names `erro`, no level of a log"),
        "{said:?}"
    );
    assert!(said[0].contains("did you mean `error`?"), "{said:?}");
}

#[test]
fn ports_that_are_no_range_are_told() {
    for (ports, is_told) in [
        ("rtp_port_start=20000\nrtp_port_end=10000", true),
        ("rtp_port_start=20000\nrtp_port_end=20000", true),
        ("rtp_port_start=20000", true),
        ("rtp_port_end=20000", true),
        ("rtp_port_start=20000\nrtp_port_end=20100", false),
        ("", false),
    ] {
        let text = format!("[e]\ntype=endpoint\ncontext=c\nallow=opus\n{ports}\n");
        let files = [("pjsip.conf", text.as_str())];
        let (_, messages) = load(&files.as_slice());
        let said: Vec<_> = messages.iter().map(ToString::to_string).collect();
        let of_rtp = said
            .iter()
            .any(|line| line.contains("those of rtp.conf are taken"));
        assert_eq!(of_rtp, is_told, "{ports}: {said:?}");
    }
}
