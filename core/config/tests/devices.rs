//! Devices that the dial plan names, and what else is said of an office.

use config::{Diagnostic, Elsewhere, Severity, load};
use expect_test::expect;

fn shown(diagnostics: &[Diagnostic]) -> String {
    let told = diagnostics.iter().filter(|it| it.severity > Severity::Info);
    told.map(|it| format!("{} {it}\n", it.severity)).collect()
}

const PHONES: &str = "[101]
type=endpoint
allow=alaw
[itsp]
type=endpoint
allow=alaw
";

#[test]
fn what_is_dialled_and_watched_exists() {
    let plan = "[c]
exten => 1,1,Dial(PJSIP/101&SIP/104&PJSIP/1O1,20)
 same => n,Dial(PJSIP/0301@itsp)
 same => n,Dial(PJSIP/0301@itspp)
 same => n,Dial(PJSIP/itsp/sip:1@192.0.2.1&PJSIP/102&PJSIP/${X})
 same => n,Dial(Local/1@c/n&Local/9@nowhere&Local/77@c)
 same => n,Dial(IAX2/x&Foo/y&101)
exten => 101,hint,PJSIP/101&Custom:lamp
exten => 122,hint,SIP/122
exten => 123,hint,PJSIP/nope,CustomPresence:x
exten => 701,hint,park:701@parkedcalls
exten => 799,hint,park:799@parkedcalls
exten => 800,hint,Queue:sales
exten => _9XX,hint,PJSIP/${EXTEN}
";
    let lots = "[default]\ncontext=parkedcalls\nparkpos=701-720\n";
    let files = [
        ("pjsip.conf", PHONES),
        ("extensions.conf", plan),
        ("res_parking.conf", lots),
    ];
    let (config, _) = load(&files.as_slice());
    let config = config.unwrap();
    let elsewhere = Elsewhere {
        endpoints: ["102".to_owned()].into(),
        ..Elsewhere::default()
    };
    let told = config.device_faults(Some(&elsewhere));
    expect![[r#"
        warning extensions.conf:2:14: `PJSIP/1O1`: there is no endpoint `1O1`
           = did you mean `101`?
        warning extensions.conf:2:14: `SIP/104`: calls go out by PJSIP and Local here, so nobody would be called
           = write `PJSIP/104`
        warning extensions.conf:4:12: `PJSIP/0301@itspp`: there is no endpoint `itspp`
           = did you mean `itsp`?
        warning extensions.conf:6:12: `Local/77@c`: context `c` has no extension `77`
           = add `exten => 77,1,…` to `[c]`
        warning extensions.conf:6:12: `Local/9@nowhere`: there is no context `nowhere`
           = add `[nowhere]` to extensions.conf
        warning extensions.conf:7:12: `101` names no technology: nobody would be called
           = write PJSIP/endpoint or Local/extension@context
        warning extensions.conf:7:12: `Foo/y`: there is no such technology, so nobody would be called
           = write `PJSIP/y`
        warning extensions.conf:7:12: `IAX2/x`: calls go out by PJSIP and Local here, so nobody would be called
           = write `PJSIP/x`
        warning extensions.conf:9:19: hint: `SIP/122`: calls go out by PJSIP and Local here, so nobody would be called
           = write `PJSIP/122`
        warning extensions.conf:10:19: hint: `PJSIP/nope`: there is no endpoint `nope`
            = add `[nope]` with `type=endpoint` to pjsip.conf
        warning extensions.conf:12:19: hint `park:799@parkedcalls`: no parking lot of this context has space 799, so it never changes
            = write park:SPACE@CONTEXT, with `context` and `parkpos` of a lot of res_parking.conf
        warning extensions.conf:13:19: hint `Queue:sales`: there is no state of this kind here, so it never changes
            = hints watch PJSIP/endpoint, Custom:name and park:space@context
    "#]].assert_eq(&shown(&told));
    // Where nobody knows what a database has, endpoints are not judged.
    let told = shown(&config.device_faults(None));
    assert!(
        told.contains("SIP/104") && !told.contains("itspp"),
        "{told}"
    );
}

#[test]
fn an_office_without_a_transport_is_deaf() {
    let deaf = |transport: &str| {
        let text = format!("{transport}{PHONES}");
        let (config, _) = load(&[("pjsip.conf", text.as_str())].as_slice());
        config.unwrap().deafness()
    };
    let told = deaf("").unwrap();
    expect![[r#"
        pjsip.conf: nothing listens for SIP over UDP, TCP or TLS: endpoint `101` and 1 more without webrtc=yes cannot register, call or be called
           = add `[transport-udp]` with `type=transport`, `protocol=udp` and `bind=0.0.0.0` to pjsip.conf"#]].assert_eq(&told.to_string());
    assert!(deaf("[ws]\ntype=transport\nprotocol=ws\nbind=0.0.0.0\n").is_some());
    assert_eq!(
        deaf("[u]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n"),
        None
    );
}

#[test]
fn one_line_of_a_template_is_told_once_with_the_objects() {
    let mut text = "[phone](!)
type=endpoint
context=c
allow=alaw
qualify=yes
rtp_timeout=ten
auth=nobody
"
    .to_owned();
    for number in 101..=106 {
        text += &format!("[{number}](phone)\n");
    }
    let plan = "[c]\nexten => 1,1,NoOp()\n";
    let files = [("pjsip.conf", text.as_str()), ("extensions.conf", plan)];
    let (config, told) = load(&files.as_slice());
    assert!(config.unwrap().endpoints.is_empty());
    expect![[r#"
        warning pjsip.conf:5:1: option `qualify` is not known in endpoint
         5 | qualify=…
           | ^
           = write `qualify_frequency=60` in the section with `type=aor`
        error pjsip.conf:6:13: endpoint `101`, `102`, `103` and 3 more are not used: rtp_timeout is not a number from 0 to 604800
         6 | rtp_timeout=ten
           |             ^
           = write a number from 0 to 604800
        warning pjsip.conf:7:6: auth names `nobody`, which no file defines
         7 | auth=nobody
           |      ^
           = add `[nobody]` with `type=auth`, or a row to ps_auths
    "#]]
    .assert_eq(&shown(&told));
}

#[test]
fn options_of_other_places_are_said_to_be_there() {
    let text = "[101]
type=endpoint
allow=alaw
host=dynamic
nat=yes
secret=x
max_contacts=1
bind=0.0.0.0
aors=106
[phone](!)
type=endpoint
context=c
allow=alaw
[105](phone)
type=aor
max_contacts=1
";
    let plan = "[c]\nexten => 1,1,NoOp()\n";
    let files = [
        ("pjsip.conf", text),
        ("extensions.conf", plan),
        ("features.conf", "[general]\nparkext=700\n"),
        ("res_parking.conf", "[default]\nparkpos=720-701\n"),
    ];
    let (_, told) = load(&files.as_slice());
    expect![[r#"
        error res_parking.conf:2:9: option is left out: parkpos ends before it begins
         2 | parkpos=720-701
           |         ^
           = write the lower number first, as in 701-720
        warning pjsip.conf:1:2: context names `default`, which no file defines
         1 | [101]
           |  ^
           = add `[default]` to extensions.conf
        warning pjsip.conf:4:1: option `host` is not known in endpoint
         4 | host=…
           | ^
           = `host=dynamic` is `max_contacts=1` in the section with `type=aor`; a fixed host is `contact=sip:HOST` there
        warning pjsip.conf:5:1: option `nat` is not known in endpoint
         5 | nat=…
           | ^
           = write `force_rport=yes`, `rewrite_contact=yes` and `rtp_symmetric=yes` here
        warning pjsip.conf:6:1: option `secret` is not known in endpoint
         6 | secret=…
           | ^
           = write `password=` in the section with `type=auth` that `auth=` names
        warning pjsip.conf:7:1: option `max_contacts` is not known in endpoint
         7 | max_contacts=…
           | ^
           = it belongs into the section with `type=aor`: write `max_contacts=` there
        warning pjsip.conf:8:1: option `bind` is not known in endpoint
         8 | bind=…
           | ^
           = it belongs into the section with `type=transport`: write `bind=` there
        warning pjsip.conf:9:6: aors names `106`, which no file defines
         9 | aors=106
           |      ^
           = add `[106]` with `type=aor`, or a row to ps_aors
        warning pjsip.conf:14:2: aor `105` inherits from a template of type endpoint: what it inherits is not read
         14 | [105](phone)
            |  ^
            = take that template out of the brackets after `[105]`, or write `type=endpoint`
        warning features.conf:2:1: option `parkext` is not known in features.conf
         2 | parkext=…
           | ^
           = write `parkext=` in res_parking.conf
    "#]].assert_eq(&shown(&told));
}
