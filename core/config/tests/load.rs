//! What files make of objects, and what is said about them.

use config::{
    AuthKind, Config, Credential, Diagnostic, DigestAlgorithm, MediaEncryption, Protocol, Severity,
    load,
};
use expect_test::{Expect, expect};

fn read(files: &[(&str, &str)]) -> (Config, Vec<Diagnostic>) {
    let (config, diagnostics) = load(&files);
    (config.expect("every file can be read"), diagnostics)
}

/// Everything said, infos left out.
fn said(diagnostics: &[Diagnostic]) -> String {
    let shown = diagnostics.iter().filter(|d| d.severity > Severity::Info);
    shown.map(|d| format!("{} {d}\n", d.severity)).collect()
}

fn check_pjsip(text: &str, expected: &Expect) -> Config {
    let plan = "[sets]\nexten => 246,1,Answer()\n";
    let http = match text.contains("protocol=wss") {
        true => "[general]\nbindaddr=::1\ntlsenable=yes\ntlscertfile=x\n",
        false => "",
    };
    let (config, diagnostics) = read(&[
        ("pjsip.conf", text),
        ("http.conf", http),
        ("extensions.conf", plan),
    ]);
    expected.assert_eq(&said(&diagnostics));
    config
}

#[test]
fn the_chapter_files_are_read_to_the_letter() {
    let (config, diagnostics) = read(&[
        ("pjsip.conf", include_str!("fixtures/pjsip.conf")),
        ("http.conf", include_str!("fixtures/http.conf")),
        ("extensions.conf", include_str!("fixtures/extensions.conf")),
    ]);
    assert_eq!(said(&diagnostics), "");
    let binds: Vec<(&str, Protocol, String)> = config
        .transports
        .iter()
        .map(|t| (t.id.as_str(), t.protocol, t.bind.to_string()))
        .collect();
    assert_eq!(
        binds,
        [
            ("transport-udp", Protocol::Udp, "0.0.0.0:5060".to_owned()),
            ("transport-tls", Protocol::Tls, "0.0.0.0:5061".to_owned()),
        ]
    );
    assert_eq!(config.http.bind.unwrap().to_string(), "0.0.0.0:8088");
    let tls = config.http.tls.unwrap();
    assert_eq!(tls.bind.to_string(), "0.0.0.0:8089");
    assert_eq!(tls.private_key, "/home/asterisk/certs/self-signed.key");
    assert!(!config.http.static_files);
    assert!(config.plan.find("sets", "246", None).is_some());
}

#[test]
fn a_list_of_addresses_that_keeps_nobody_out_is_warned_of() {
    let text = "[general]\nice_deny=0.0.0.0/0\nprobation=4\n";
    let (_, diagnostics) = read(&[("rtp.conf", text)]);
    let said = said(&diagnostics);
    assert!(said.contains("`ice_deny` keeps nobody out"), "{said}");
    assert!(!said.contains("probation"), "{said}");
}

#[test]
fn the_static_variant_serves_files_and_redirects() {
    let (config, diagnostics) = read(&[("http.conf", include_str!("fixtures/http-static.conf"))]);
    assert_eq!(said(&diagnostics), "");
    assert!(config.http.static_files);
    let redirect = &config.http.redirects[0];
    assert_eq!(redirect.from, "/cmp2k");
    assert_eq!(redirect.to, "/static/cyber_mega_phone_2k/index.html");
}

const ALICE: &str = "\
[transport-tls]
type=transport
protocol=wss
bind=0.0.0.0

[browser](!)
type=endpoint
context=sets
disallow=all
allow=opus,ulaw,vp8
webrtc=yes

[alice](browser)
auth=alice
aors=alice
max_video_streams=4
callerid=Alice <100>

[alice]
type=auth
auth_type=userpass
username=alice
password=wonderland

[alice]
type=aor
max_contacts=5
";

#[test]
fn sections_of_one_name_are_objects_of_their_types() {
    let config = check_pjsip(ALICE, &expect![[""]]);
    let alice = &config.endpoints["alice"];
    let endpoint = &alice.endpoint;
    assert_eq!(endpoint.context, "sets");
    let codecs: Vec<&str> = endpoint.allow.iter().map(|codec| codec.name).collect();
    assert_eq!(codecs, ["opus", "ulaw", "vp8"]);
    assert_eq!(endpoint.max_video_streams, 4);
    assert_eq!(endpoint.caller_id.as_ref().unwrap().number, "100");
    assert_eq!(alice.aors[0].max_contacts, 5);
    let auth = &alice.auths[0];
    assert_eq!(auth.kind, AuthKind::Userpass);
    let Some(Credential::Password(password)) = auth.credential(DigestAlgorithm::Sha256) else {
        panic!("a plain password serves every algorithm");
    };
    assert_eq!(password.expose(), "wonderland");
}

#[test]
fn webrtc_implies_what_browsers_need_whatever_else_is_written() {
    let text = ALICE.replace("webrtc=yes", "webrtc=yes\nrtcp_mux=no\nice_support=no");
    let config = check_pjsip(&text, &expect![[""]]);
    let endpoint = &config.endpoints["alice"].endpoint;
    assert_eq!(endpoint.media_encryption, MediaEncryption::Dtls);
    assert!(endpoint.rtcp_mux && endpoint.ice_support && endpoint.bundle && endpoint.use_avpf);
    assert!(endpoint.media_use_received_transport);
    let sdes = ALICE.replace("webrtc=yes", "webrtc=yes\nmedia_encryption=sdes");
    let config = check_pjsip(&sdes, &expect![[""]]);
    let endpoint = &config.endpoints["alice"].endpoint;
    assert_eq!(endpoint.media_encryption, MediaEncryption::Sdes);
    assert!(endpoint.rtcp_mux && endpoint.ice_support);
}

#[test]
fn defaults_are_those_of_asterisk() {
    let config = check_pjsip(
        "[a]\ntype=endpoint\ncontext=sets\nallow=opus\n[b]\ntype=aor\n",
        &expect![[""]],
    );
    let endpoint = &config.endpoints["a"].endpoint;
    assert_eq!(
        (endpoint.max_audio_streams, endpoint.max_video_streams),
        (1, 1)
    );
    assert!(!endpoint.webrtc && !config.endpoints["a"].is_challenged());
    let aor = &config.aors["b"];
    assert_eq!(aor.max_contacts, 0);
    assert_eq!(
        [
            aor.minimum_expiration_s,
            aor.default_expiration_s,
            aor.maximum_expiration_s
        ],
        [60, 3600, 7200]
    );
    assert_eq!(config.global.default_realm, "asterisk");
    assert_eq!(config.rtp.ports, 5000..=31000);
    assert_eq!((config.http.bind, config.http.session_limit), (None, 100));
}

#[test]
fn a_broken_option_drops_its_endpoint_and_no_other() {
    let text = "\
[good]
type=endpoint
context=sets
allow=opus
[bad]
type=endpoint
context=sets
allow=opsu,ulaw
[worse]
type=endpoint
context=sets
allow=ulaw
webrtc=yse
";
    let config = check_pjsip(
        text,
        &expect![[r#"
            error pjsip.conf:8:7: endpoint `bad` is not used: allow names the unknown codec `opsu`
             8 | allow=opsu,ulaw
               |       ^
               = did you mean `opus`?
            error pjsip.conf:13:8: endpoint `worse` is not used: webrtc is neither yes nor no
             13 | webrtc=yse
                |        ^
                = did you mean `yes`?
        "#]],
    );
    let ids: Vec<&String> = config.endpoints.keys().collect();
    assert_eq!(ids, ["good"]);
}

#[test]
fn dangling_names_are_warned_of_and_the_endpoint_works() {
    let text = ALICE.replace(
        "auth=alice\naors=alice",
        "transport=transporttls\nauth=alcie\naors=bob",
    );
    let text = text.replace("context=sets", "context=stes");
    let config = check_pjsip(
        &text,
        &expect![[r#"
            warning pjsip.conf:8:9: context names `stes`, which no file defines
             8 | context=stes
               |         ^
               = did you mean `sets`?
            warning pjsip.conf:14:11: transport names `transporttls`, which no file defines
             14 | transport=transporttls
                |           ^
                = did you mean `transport-tls`?
            warning pjsip.conf:15:6: auth names `alcie`, which no file defines
             15 | auth=alcie
                |      ^
                = did you mean `alice`?
            warning pjsip.conf:16:6: aors names `bob`, which no file defines
             16 | aors=bob
                |      ^
                = add `[bob]` with `type=aor`, or a row to ps_aors
        "#]],
    );
    let alice = &config.endpoints["alice"];
    assert!(alice.is_challenged(), "a lost auth must not open the door");
    assert!(alice.auths.is_empty());
}

/// What was refused with a message of its own is not missed once more by those that name it.
#[test]
fn a_refused_object_is_one_fault_and_not_two() {
    check_pjsip(
        "\
[alice]
type=endpoint
context=sets
allow=opus
aors=alice
auth=alice
transport=udp
[alice]
type=aor
max_contacts=many
[alice]
type=atuh
[udp]
type=transport
bind=nowhere
[bob]
type=endpoint
context=sets
allow=opus
aors=bobby
",
        &expect![[r#"
            error pjsip.conf:10:14: aor `alice` is not used: max_contacts is not a number from 0 to 10000
             10 | max_contacts=many
                |              ^
                = write a number from 0 to 10000
            error pjsip.conf:12:6: `atuh` is no type; section `alice` is not used
             12 | type=atuh
                |      ^
                = did you mean `auth`?
            error pjsip.conf:15:6: transport `udp` is not used: bind is not an IP address with an optional port
             15 | bind=nowhere
                |      ^
                = write for example `0.0.0.0`, `192.0.2.1:5060` or `[::]:5060`
            warning pjsip.conf:20:6: aors names `bobby`, which no file defines
             20 | aors=bobby
                |      ^
                = add `[bobby]` with `type=aor`, or a row to ps_aors
        "#]],
    );
}

#[test]
fn unknown_options_are_warned_of_without_showing_their_values() {
    let text = ALICE.replace("password=wonderland", "passwrod=wonderland\npasword=x");
    let text = text.replace("max_contacts=5", "maxcontacts=5\nmax_contacts=1");
    check_pjsip(
        &text,
        &expect![[r#"
            warning pjsip.conf:19:2: auth `alice` has no secret: nobody can sign by it
             19 | [alice]
                |  ^
                = add `password=…`, or `password_digest=SHA-256:…`
            warning pjsip.conf:23:1: option `passwrod` is not known in auth
             23 | passwrod=…
                | ^
                = did you mean `password`?
            warning pjsip.conf:24:1: option `pasword` is not known in auth
             24 | pasword=…
                | ^
                = did you mean `password`?
            warning pjsip.conf:28:1: option `maxcontacts` is not known in aor
             28 | maxcontacts=…
                | ^
                = did you mean `max_contacts`?
        "#]],
    );
}

#[test]
fn options_without_effect_are_mentioned_once() {
    let text = "\
[a]
type=endpoint
context=sets
allow=opus
direct_media=no
[b]
type=endpoint
context=sets
allow=opus
direct_media=no
";
    let plan = ("extensions.conf", "[sets]\nexten => 1,1,Answer()\n");
    let (_, diagnostics) = read(&[("pjsip.conf", text), plan]);
    let shown: String = diagnostics
        .iter()
        .map(|d| format!("{} {d}\n", d.severity))
        .collect();
    expect![[r#"
        info pjsip.conf:5:1: option `direct_media` is accepted, has no effect here, because media always passes through the exchange, as with direct_media=no
         5 | direct_media=no
           | ^
    "#]]
    .assert_eq(&shown);
}
