//! `cdr.conf`, `logger.conf`, `features.conf`, `confbridge.conf` and the objects of `pjsip.conf` that
//! say who is let in, as values.

use config::{
    ActivatedBy, Config, Diagnostic, LogFormat, LogLevel, LogTarget, RotateStrategy, Severity,
    VideoMode, load,
};
use expect_test::{Expect, expect};

#[track_caller]
fn check(files: &[(&str, &str)], expected: &Expect) -> Config {
    let (config, diagnostics) = load(&files);
    let shown = diagnostics.iter().filter(|d| d.severity > Severity::Info);
    let shown: String = shown.map(|d| format!("{} {d}\n", d.severity)).collect();
    expected.assert_eq(&shown);
    config.expect("files in memory can be read")
}

#[test]
fn call_records_are_told_what_to_record() {
    let text = "\
[general]
enable=no
unanswered=yes
congestion=yes
endbeforehexten=no
initiatedseconds=yes
batch=yes
size=50
time=ten
[csv]
usegmtime=yes
[cvs]
";
    let config = check(
        &[("cdr.conf", text)],
        &expect![[r#"
        error cdr.conf:9:6: option is left out: time is not a number from 1 to 86400
         9 | time=ten
           |      ^
           = write a number from 1 to 86400
        warning cdr.conf:12:2: section `cvs` is not known in this file
         12 | [cvs]
            |  ^
            = did you mean `csv`?
    "#]],
    );
    let cdr = &config.cdr;
    assert!(!cdr.enable && cdr.unanswered && cdr.congestion && cdr.initiated_seconds && cdr.batch);
    assert!(!cdr.end_before_h_exten && cdr.channel_default_enabled);
    assert_eq!((cdr.batch_size, cdr.batch_time_s), (50, 300));
}

#[test]
fn the_log_has_channels_of_levels() {
    let text = "\
[logfiles]
console => notice,warning,error,verbose(3)
messages.log = [json]notice, warning,audit
syslog.local0 => *
full => notice,warnnig
[general]
dateformat=%F %T
custom_levels=audit
rotatestrategy=timestamp
";
    let config = check(
        &[("logger.conf", text)],
        &expect![[r#"
            warning logger.conf:5:9: full names `warnnig`, no level of a log, and left out
             5 | full => notice,warnnig
               |         ^
               = did you mean `warning`?
        "#]],
    );
    let logger = &config.logger;
    assert_eq!(logger.date_format.as_deref(), Some("%F %T"));
    assert_eq!(logger.rotate_strategy, RotateStrategy::Timestamp);
    let [console, messages, syslog, full] = logger.channels.as_slice() else {
        panic!("{:?}", logger.channels);
    };
    assert_eq!(console.target, LogTarget::Console);
    let levels = [
        LogLevel::Notice,
        LogLevel::Warning,
        LogLevel::Error,
        LogLevel::Verbose(Some(3)),
    ];
    assert_eq!(console.levels, levels);
    assert_eq!(messages.target, LogTarget::File("messages.log".to_owned()));
    assert_eq!(messages.format, LogFormat::Json);
    assert_eq!(messages.levels[2], LogLevel::Custom("audit".to_owned()));
    assert_eq!(syslog.target.to_string(), "syslog.local0");
    assert_eq!(syslog.levels, [LogLevel::All]);
    assert_eq!(full.levels, [LogLevel::Notice], "the words that are levels");
}

#[test]
fn digits_in_a_call_have_features() {
    let text = "\
[general]
featuredigittimeout=2000
pickupexten=*7
[featuremap]
blindxfer=##
atxfer=*2x
[applicationmap]
monkey => *9,self/caller,Playback,tt-monkeys
quoted => #8,peer,Macro,\"one,two\",class
newer => #7,self/callee,Dial(PJSIP/a,20),class
broken => *5,Playback
[group]
monkey => *1
newer =>
";
    let config = check(
        &[("features.conf", text)],
        &expect![[r#"
        error features.conf:6:8: option is left out: atxfer is not 1 to 11 of the digits 0-9, *, # and A-D
         6 | atxfer=*2x
           |        ^
           = write for example `*1`
        error features.conf:11:11: feature `broken` is left out: it is not `digits,self|peer[/caller|callee|both],App`
         11 | broken => *5,Playback
            |           ^
            = write for example `*9,self/caller,Playback,tt-monkeys`
    "#]],
    );
    let features = &config.features;
    assert_eq!(features.general.digit_timeout_ms, 2000);
    assert_eq!(features.general.pickup_exten, "*7");
    assert_eq!(
        (
            features.map.blind_transfer.as_str(),
            features.map.disconnect.as_str()
        ),
        ("##", "*")
    );
    let monkey = &features.applications["monkey"];
    assert_eq!(
        (monkey.activated_by, monkey.on_peer),
        (ActivatedBy::Caller, false)
    );
    assert_eq!(
        (monkey.application.as_str(), monkey.arguments.as_str()),
        ("Playback", "tt-monkeys")
    );
    let quoted = &features.applications["quoted"];
    assert_eq!(
        (quoted.arguments.as_str(), quoted.music_class.as_deref()),
        ("one,two", Some("class"))
    );
    let newer = &features.applications["newer"];
    assert_eq!(
        (newer.arguments.as_str(), newer.music_class.as_deref()),
        ("PJSIP/a,20", Some("class"))
    );
    assert_eq!(features.groups["group"].len(), 2);
}

#[test]
fn conferences_have_profiles_and_menus() {
    let text = "\
[general]
[default_user]
type=user
pin=1234
announce_user_count_all=5
startmuted=yes
[default_bridge]
type=bridge
video_mode=sfu
mixing_interval=15
max_members=20
sound_join=hello
sond_leave=bye
[room]
type=bridge
video_mode=sfu
mixing_interval=40
[menu]
type=menu
*=playback_and_continue(conf-usermenu,x)
*1=toggle_mute,  playback( beep )
2=togle_mute
[lost]
type=brigde
";
    let config = check(
        &[("confbridge.conf", text)],
        &expect![[r#"
            error confbridge.conf:10:17: bridge_profile `default_bridge` is not used: mixing_interval is none of 10, 20, 40, 80
             10 | mixing_interval=15
                |                 ^
                = write one of 10, 20, 40, 80
            warning confbridge.conf:13:1: option `sond_leave` is not known in bridge_profile
             13 | sond_leave=…
                | ^
                = take the line out: neither Asterisk nor this exchange reads it
            error confbridge.conf:22:3: menu `menu` is not used: 2 names the unknown action `togle_mute`
             22 | 2=togle_mute
                |   ^
                = did you mean `toggle_mute`?
            error confbridge.conf:24:6: `brigde` is no type; section `lost` is not used
             24 | type=brigde
                |      ^
                = did you mean `bridge`?
        "#]],
    );
    let confbridge = &config.confbridge;
    let user = &confbridge.users["default_user"];
    assert!(user.start_muted && user.text_messaging);
    assert_eq!(user.pin.as_ref().map(config::Secret::expose), Some("1234"));
    let ids: Vec<&String> = confbridge.bridges.keys().collect();
    assert_eq!(ids, ["room"]);
    let room = &confbridge.bridges["room"];
    assert_eq!(
        (room.video_mode, room.mixing_interval_ms),
        (VideoMode::Sfu, 40)
    );
    assert!(confbridge.menus.is_empty());
}

#[test]
fn a_menu_may_do_several_things_at_once() {
    let text = "[m]\ntype=menu\n*1=toggle_mute,  playback(beep&tt),leave_conference\n#=no_op\n";
    let config = check(
        &[("confbridge.conf", text)],
        &expect![[r#"
            warning confbridge.conf:4:1: `#=no_op` is not a directive
             4 | #=no_op
               | ^
               = directives are #include and #tryinclude; a comment begins with `;`
        "#]],
    );
    let (digits, actions) = &config.confbridge.menus["m"].actions[0];
    let names: Vec<&str> = actions.iter().map(|action| action.name).collect();
    assert_eq!(
        (digits.as_str(), names.as_slice()),
        (
            "*1",
            ["toggle_mute", "playback", "leave_conference"].as_slice()
        )
    );
    assert_eq!(actions[1].arguments, "beep&tt");
}

const PLAN: (&str, &str) = ("extensions.conf", "[sets]\nexten => 1,1,NoOp()\n");

#[test]
fn who_is_let_in_is_said_by_lists() {
    let acl = "[office]\ndeny=0.0.0.0/0\npermit=192.0.2.0/24\n[broken]\npermit=192.0.2.0/40\n";
    let pjsip = "\
[everybody]
type=acl
acl=office
contact_deny=10.0.0.0/8
[lists]
type=acl
acl=offise
[slip]
type=acl
permit=everybody
[alice]
type=endpoint
context=sets
allow=opus
acl=office,brocken
deny=0.0.0.0/0
permit=192.0.2.7
";
    let config = check(
        &[("acl.conf", acl), ("pjsip.conf", pjsip), PLAN],
        &expect![[r#"
            error acl.conf:5:8: acl.conf `broken` is not used: permit names `192.0.2.0/40`, which is no address or network
             5 | permit=192.0.2.0/40
               |        ^
               = write for example `192.0.2.0/24` or `2001:db8::/32`
            error pjsip.conf:7:5: acl names `offise`, which acl.conf does not define: nobody is let in
             7 | acl=offise
               |     ^
               = did you mean `office`?
            error pjsip.conf:10:8: acl `slip` is not used: permit names `everybody`, which is no address or network
             10 | permit=everybody
                |        ^
                = write for example `192.0.2.0/24` or `2001:db8::/32`
            error pjsip.conf:15:5: acl names `brocken`, which acl.conf does not define: nobody is let in
             15 | acl=office,brocken
                |     ^
                = add `[brocken]` with `permit=…` to acl.conf
        "#]],
    );
    let admits =
        |acl: &config::Acl, address: &str| config.admits(&acl.source, address.parse().unwrap());
    assert!(admits(&config.acls[0], "192.0.2.1") && !admits(&config.acls[0], "198.51.100.1"));
    assert!(
        !admits(&config.acls[1], "192.0.2.1"),
        "a list that is not there lets nobody in"
    );
    assert!(
        !admits(&config.acls[2], "192.0.2.1"),
        "a list with a slip lets nobody in"
    );
    assert!(!config.admits(&config.acls[0].contact, "10.1.1.1".parse().unwrap()));
    let alice = &config.endpoints["alice"].endpoint;
    assert!(alice.acl.own.admits("192.0.2.7".parse().unwrap()));
    assert!(!config.admits(&alice.acl, "192.0.2.7".parse().unwrap()));
}

#[test]
fn endpoints_are_known_by_addresses_hosts_headers_and_uris() {
    let pjsip = "\
[trunk]
type=endpoint
context=sets
allow=opus
[a]
type=identify
endpoint=trunk
match=192.0.2.0/24,SIP.example.com
match=2001:db8::1
match_header=X-Trunk: acme
match_header=To: /@acme\\.example/
match_request_uri=/^sip:49/
[b]
type=identify
endpoint=tronk
match=192.0.2.1
[c]
type=identify
endpoint=trunk
[d]
type=identify
endpoint=trunk
match=192.0.2.1.2
[e]
type=identify
endpoint=trunk
match_header=X-Trunk
[f]
type=identify
match_header=To: /(/
";
    let config = check(
        &[("pjsip.conf", pjsip), PLAN],
        &expect![[r#"
        warning pjsip.conf:15:10: endpoint names `tronk`, which no file defines
         15 | endpoint=tronk
            |          ^
            = did you mean `trunk`?
        error pjsip.conf:17:2: identify `c` fits no request and is not used
         17 | [c]
            |  ^
            = add `match=ADDRESS` or `match_header=NAME: VALUE`
        error pjsip.conf:23:7: identify `d` is not used: match names `192.0.2.1.2`, which is no address or network
         23 | match=192.0.2.1.2
            |       ^
            = write for example `192.0.2.0/24` or `2001:db8::/32`
        error pjsip.conf:27:14: identify `e` is not used: match_header is not `Header: value` or `Header: /expression/`
         27 | match_header=X-Trunk
            |              ^
            = write for example `match_header=X-Trunk: acme`
        error pjsip.conf:30:14: identify `f` is not used: match_header is not a regular expression: found open group without closing ')'
         30 | match_header=To: /(/
            |              ^
            = put `\` before a character that means itself
    "#]],
    );
    let a = &config.identifies[0];
    let holds = |address: &str| a.holds(address.parse().unwrap());
    assert!(holds("192.0.2.200:1") && holds("[2001:db8::1]:5060"));
    assert!(!holds("192.0.3.1:5060"));
    let hosts: Vec<_> = a.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["sip.example.com"]);
    assert!(a.headers[0].value.matches("acme") && !a.headers[0].value.matches("acme2"));
    assert!(a.headers[1].value.matches("<sip:1@acme.example>;tag=1"));
    assert!(a.request_uris[0].matches("sip:4930@x"));
    assert_eq!(config.identifies.len(), 2);
}

#[test]
fn an_endpoint_knows_the_line_it_stands_at() {
    let pjsip = "[phone](!)\ntype=endpoint\nallow=ulaw\n\n[alice](phone)\ncontext=sets\n";
    let config = check(&[("pjsip.conf", pjsip), PLAN], &expect![""]);
    assert_eq!(config.endpoints["alice"].endpoint.file(), "pjsip.conf:5");
    assert_eq!(config::Endpoint::new("bob").file(), "pjsip.conf");
}

#[test]
fn a_match_may_name_the_port() {
    let pjsip = "\
[itsp]
type=endpoint
[a]
type=identify
endpoint=itsp
match=192.0.2.1:5062,198.51.100.0:5070/24,[2001:db8::1]:5062,SIP.example.com:5080,203.0.113.9
[b]
type=identify
endpoint=itsp
match=192.0.2.1:70000
";
    let config = check(
        &[("pjsip.conf", pjsip), PLAN],
        &expect![[r#"
            warning pjsip.conf:1:2: endpoint `itsp` allows no codec: its calls will be refused
             1 | [itsp]
               |  ^
               = add for example `allow=opus,ulaw,vp8`
            warning pjsip.conf:1:2: context names `default`, which no file defines
             1 | [itsp]
               |  ^
               = add `[default]` to extensions.conf
            error pjsip.conf:10:7: identify `b` is not used: match names `192.0.2.1:70000`, which is no address or network
             10 | match=192.0.2.1:70000
                |       ^
                = write for example `192.0.2.0/24` or `2001:db8::/32`
        "#]],
    );
    let a = &config.identifies[0];
    let holds = |address: &str| a.holds(address.parse().unwrap());
    assert!(holds("192.0.2.1:5062") && !holds("192.0.2.1:5060"));
    assert!(holds("198.51.100.7:5070") && !holds("198.51.100.7:5060"));
    assert!(holds("[2001:db8::1]:5062") && !holds("[2001:db8::1]:5060"));
    assert!(holds("203.0.113.9:1024"));
    assert_eq!(a.hosts[0].to_string(), "sip.example.com:5080");
    assert!(a.hosts[0].has_port(5080) && !a.hosts[0].has_port(5060));
}

#[test]
fn registrations_are_read_and_checked() {
    let pjsip = "\
[transport-udp]
type=transport
bind=0.0.0.0
[provider-auth]
type=auth
password=x
[provider]
type=registration
server_uri=sip:provider.example.com
client_uri=sip:4930@provider.example.com
outbound_auth=provider-aut
transport=transport-tcp
line=yes
endpoint=trunk
[short]
type=registration
server_uri=provider.example.com
[shorter]
type=registration
server_uri=sip:provider.example.com
[pbx.example.com]
type=domain_alias
domain=example.com
[empty]
type=domain_alias
";
    let config = check(
        &[("pjsip.conf", pjsip), PLAN],
        &expect![[r#"
            warning pjsip.conf:11:15: outbound_auth names `provider-aut`, which no file defines
             11 | outbound_auth=provider-aut
                |               ^
                = did you mean `provider-auth`?
            warning pjsip.conf:12:11: transport names `transport-tcp`, which no file defines
             12 | transport=transport-tcp
                |           ^
                = did you mean `transport-udp`?
            warning pjsip.conf:14:10: endpoint names `trunk`, which no file defines
             14 | endpoint=trunk
                |          ^
                = add `[trunk]` with `type=endpoint`, or a row to ps_endpoints
            error pjsip.conf:17:12: registration `short` is not used: server_uri is not a URI that begins with sip: or sips:
             17 | server_uri=provider.example.com
                |            ^
                = write for example `sip:1234@provider.example.com`
            error pjsip.conf:18:2: registration `shorter` has no client_uri
             18 | [shorter]
                |  ^
                = add `client_uri=sip:…`
            error pjsip.conf:24:2: domain_alias `empty` has no domain and is not used
             24 | [empty]
                |  ^
                = add `domain=example.com`
        "#]],
    );
    assert_eq!(config.registrations.len(), 1);
    assert_eq!(config.registrations[0].contact_user, "s");
    assert_eq!(config.domain_aliases["pbx.example.com"], "example.com");
    assert_eq!(config.domain_aliases.len(), 1);
}

#[test]
fn a_reason_is_said_once_for_each_option() {
    let text = "[general]\nenable=yes\nenable=no\n";
    let (_, diagnostics) = load(&[("cdr.conf", text)].as_slice());
    let messages: Vec<&Diagnostic> = diagnostics
        .iter()
        .filter(|d| d.message.contains("`enable`"))
        .collect();
    assert!(messages.len() <= 1, "{messages:?}");
}

/// `musiconhold.conf` with classes of all sorts.
const MUSIC: &str = "\
[general]
preferchannelclass=no
cachertclasses=yes
[default]
mode=files
directory=moh
sort=randstart
digit=1
[named]
mode=playlist
entry=/srv/one
entry=/srv/two.wav
loop_last=yes
answeredonly=yes
announcement=queue-youarenext
[stream]
mode=custom
application=/usr/bin/mpg123 -s
[nothing]
directory=/srv
[folderless]
mode=files
[remote]
mode=playlist
entry=http://example.com/a.wav
[spelled]
mode=filse
directory=/srv
digit=12
";

#[test]
fn classes_of_music_are_read_and_what_cannot_be_heard_is_said() {
    let config = check(
        &[("musiconhold.conf", MUSIC)],
        &expect![[r#"
        warning musiconhold.conf:16:2: music class `stream` is not heard, because no program runs on behalf of a call; who asks for it hears `default`
         16 | [stream]
            |  ^
            = put files into a folder and write `mode=files` and `directory=…`
        warning musiconhold.conf:19:2: music class `nothing` is not heard, because it has no `mode=`; who asks for it hears `default`
         19 | [nothing]
            |  ^
            = add `mode=files` and `directory=…`
        warning musiconhold.conf:21:2: music class `folderless` is not heard, because it names no folder; who asks for it hears `default`
         21 | [folderless]
            |  ^
            = add `directory=…`
        error musiconhold.conf:25:7: music class `remote` is not used: entry is no path that begins with /
         25 | entry=http://example.com/a.wav
            |       ^
            = write for example `/var/lib/asterisk/moh/song`; nothing is fetched from a URL
        error musiconhold.conf:27:6: music class `spelled` is not used: mode is none of files, playlist, custom, mp3, mp3nb, quietmp3, quietmp3nb
         27 | mode=filse
            |      ^
            = did you mean `files`?
        error musiconhold.conf:29:7: music class `spelled` is not used: digit is not one of the digits 0-9, *, # and A-D
         29 | digit=12
            |       ^
            = write for example `1`
    "#]],
    );
    let music = &config.music;
    assert!(!music.prefer_channel_class);
    let names: Vec<&String> = music.classes.keys().collect();
    assert_eq!(names, ["default", "named"]);
    let named = &music.classes["named"];
    assert_eq!(named.entries, ["/srv/one", "/srv/two.wav"]);
    assert!(named.loop_last && named.answered_only);
    let default = &music.classes["default"];
    assert_eq!(
        (default.sort, default.digit),
        (config::MusicSort::RandomStart, Some('1'))
    );
}

#[test]
fn parking_lots_have_spaces_and_extensions() {
    let parking = "\
[general]
parkeddynamic=yes
[default]
parkext=700
parkpos=701-703
findslot=next
[shop]
parkext=800
parkext_exclusive=yes
parkpos=805-801
context=default
parkedplay=nobody
";
    let plan = "\
[office]
include => parkedcalls
[parkedcalls]
exten => 702,1,NoOp(mine)
";
    let config = check(
        &[("extensions.conf", plan), ("res_parking.conf", parking)],
        &expect![[r#"
            error res_parking.conf:10:9: option is left out: parkpos ends before it begins
             10 | parkpos=805-801
                |         ^
                = write the lower number first, as in 701-720
            error res_parking.conf:12:12: option is left out: parkedplay is none of no, caller, callee, both
             12 | parkedplay=nobody
                |            ^
                = write one of no, caller, callee, both
        "#]],
    );
    let step = |context: &str, exten: &str| {
        let at = dialplan::Position {
            context: context.to_owned(),
            exten: exten.to_owned(),
            priority: 1,
        };
        let step = config.plan.step(&at, None)?;
        Some(format!("{}({})", step.application, step.arguments))
    };
    assert_eq!(step("office", "700").as_deref(), Some("Park()"));
    assert_eq!(
        step("office", "701").as_deref(),
        Some("ParkedCall(default,701)")
    );
    assert_eq!(step("office", "702").as_deref(), Some("NoOp(mine)"));
    assert_eq!(step("office", "704"), None);
    assert_eq!(step("default", "800").as_deref(), Some("Park(shop)"));
    assert!(config.parking.lots["default"].takes_next);
}
