//! The shapes that scripts written for Asterisk read: what each command prints, of the real program with a
//! phone that is registered, one that is written into a file, and a call.

use expect_test::expect_file;
use regex_lite::Regex;

use crate::phone::Phone;
use crate::world::World;

/// Times, numbers of the machine, ports of the other side.
const CHANGING: &[(&str, &str)] = &[
    (r"\b1\d{9}\.\d+", "1700000000.0"),
    (r"!\d+!!1700000000", "!0!!1700000000"),
    (r"\d\d:\d\d:\d\d", "00:00:00"),
    (r"\d{4}-\d\d-\d\d ", "2026-01-01 "),
    (r"Elapsed Time: .*", "Elapsed Time: 0h0m0s"),
    (r"System uptime: .*", "System uptime: 0 seconds"),
    (r"file handles:   \d+", "file handles:   1024"),
    ("(linux/|on a )(x86_64|aarch64)", "${1}MACHINE"),
    (r"expires_in    : \d+", "expires_in    : 3599"),
    (r"via_port      : \d+", "via_port      : 5060"),
    (r": \{.*\}", ": {…}"),
    (r"Size:  (\s+)\d+", "Size:  ${1}400"),
    (r"Connections: .*", "Connections: 1 of 4, 1 idle"),
    (r"Statements:  \d+", "Statements:  10"),
    (r"Endpoints:   \d+", "Endpoints:   1"),
    (
        r"Remembered:  .*",
        "Remembered:  0 answers for a second, 0 endpoints for when it is away",
    ),
    (r"Ports in use:    .*", "Ports in use:    5000"),
    (r"Sidetone([ /])\d+\.\d+\.\d+", "Sidetone${1}0.1.0"),
    (r"Version:   (\s+).*", "Version:   ${1}0.1.0"),
];

/// Lists that every new option, application or command makes longer: so many lines of them.
const GROWING: &[(&str, usize)] = &[
    ("core show help", 1),
    ("core show applications", 1),
    ("core show functions", 2),
    ("core show codecs", 5),
    ("core show sysinfo", 3),
    ("module show", 1),
    ("core show applications describing hang up caller", 1),
    ("core show functions like HEADER", 2),
    ("core show function CALLERID", 8),
    ("call story", 0),
    ("call story PJSIP/alice-00000000", 2),
    ("core show codecs audio", 5),
    ("pjsip show settings", 4),
    ("pjsip show endpoint alice", 24),
    ("pjsip show aor alice", 11),
    ("pjsip show transport udp", 8),
];

/// What is never the same, in the order it is taken out.
struct Scrub(Vec<(Regex, &'static str)>);

impl Scrub {
    fn new(world: &World) -> Self {
        let root = regex_lite::escape(&world.root().display().to_string());
        let rules = [
            (root, "ROOT"),
            (format!(r"\b{}\b", world.http), "8088"),
            (format!(r"\b{}\b", world.udp), "5060"),
            (format!(r"\b{}\b", world.pid()), "PID"),
        ];
        let rules = rules
            .iter()
            .map(|(pattern, shown)| (pattern.as_str(), *shown));
        let rules = rules.chain(CHANGING.iter().copied());
        Self(
            rules
                .map(|(pattern, shown)| (Regex::new(pattern).unwrap(), shown))
                .collect(),
        )
    }

    fn run(&self, line: &str, text: &str) -> String {
        let rules = self.0.iter();
        let text = rules.fold(text.to_owned(), |text, (pattern, shown)| {
            pattern.replace_all(&text, *shown).into_owned()
        });
        match GROWING.iter().find(|(command, _)| *command == line) {
            Some((_, lines)) => {
                let first = text.lines().take(*lines);
                first.map(|line| format!("{line}\n")).collect()
            }
            None => text,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_keeps_its_shape() {
    let world = World::with_files(
        "shapes",
        |world| {
            vec![
                ("pjsip.conf", world.pjsip(PJSIP)),
                ("http.conf", world.http(HTTP)),
                ("extensions.conf", PLAN.to_owned()),
                ("musiconhold.conf", music(world)),
                ("moh/b.ulaw", "x".to_owned()),
                ("moh/b.wav", "x".to_owned()),
                ("moh/a.g722", "x".to_owned()),
            ]
        },
        &[],
    );
    let mut phone = Phone::connect(world.http).await;
    phone.register().await;
    phone.dial("100").await.unwrap();
    let scrub = Scrub::new(&world);
    let mut shown: Vec<&str> = Vec::new();
    for (file, lines) in SHOWN {
        let mut transcript = String::new();
        for line in *lines {
            let answer = scrub.run(line, &world.ask(line).text);
            transcript.push_str(&format!("*CLI> {line}\n{answer}"));
            shown.push(line);
            if line.ends_with("hangup PJSIP/alice-00000000") {
                world.until("its end", |world| {
                    let count = world.done("core show channels count");
                    count.starts_with("1 active channel\n")
                });
            }
        }
        expect_file![format!("shapes/{file}.txt")].assert_eq(&transcript);
    }
    // These end the program; `console.rs` has what they do.
    shown.extend(["core restart now", "core stop now"]);
    for command in cli::COMMANDS {
        let words = format!("{} ", command.path);
        let is_shown = shown
            .iter()
            .any(|line| *line == command.path || line.starts_with(&words));
        assert!(is_shown, "the shape of `{}` is not kept", command.path);
    }
}

/// A folder and a playlist.
fn music(world: &World) -> String {
    let folder = world.root().join("etc/moh").display().to_string();
    format!(
        "[default]\nmode=files\ndirectory={folder}\n\
         [list]\nmode=playlist\nentry={folder}/b\nentry={folder}/a\ndigit=2\n"
    )
}

const PJSIP: &str = "\
aors=alice
[alice]
type=aor
max_contacts=2
[trunk]
type=endpoint
context=c
allow=ulaw
auth=trunk
aors=trunk
[trunk]
type=auth
username=trunk
password=hunter2
[trunk]
type=aor
contact=sip:127.0.0.1:9
[provider]
type=identify
endpoint=trunk
match=192.0.2.0/24
";

const HTTP: &str =
    "redirect=/cmp2k /static/phone/index.html\nenable_status=yes\nenable_static=yes\n";

const PLAN: &str = "\
[globals]
TRUNK=PJSIP/trunk
[c]
exten => 100,1,Answer()
same => n(wait),Wait(600)
exten => _2XX,1,Hangup()
include => more
[more]
exten => 300,1,NoOp(${TRUNK})
";

/// What is typed, in an order in which one command leaves the next something to show, and the file of the
/// transcript. `UPDATE_EXPECT=1` writes it.
const SHOWN: &[(&str, &[&str])] = &[
    (
        "core",
        &[
            "http show status",
            "core show version",
            "core show uptime",
            "core show uptime seconds",
            "core show channels",
            "core show channels concise",
            "core show channels verbose",
            "core show channels count",
            "core show channel PJSIP/alice-00000000",
            "core show channel PJSIP/nobody-00000000",
            "core show calls",
            "core show calls uptime",
            "acl show",
            "acl show nothing",
            "core show applications like meet",
            "core show applications like Wait",
            "core show applications describing hang up caller",
            "core show functions like HEADER",
            "core show file formats",
            "dialplan eval function LEN(abc)",
            "dialplan eval function NOTHING(abc)",
            "mixmonitor list PJSIP/alice-00000000",
            "mixmonitor list PJSIP/nobody-00000000",
            "core show channeltypes",
            "core show sysinfo",
            "core waitfullybooted",
            "call story PJSIP/alice-00000000",
            "call story PJSIP/nobody-00000000",
            "group show channels",
            "features show",
            "module show",
            "module show like parking",
            "dialplan set chanvar PJSIP/alice-00000000 COLOUR blue",
            "dialplan show chanvar PJSIP/alice-00000000",
            "channel redirect PJSIP/alice-00000000 nowhere,1,1",
            "channel redirect PJSIP/alice-00000000 c,100,wait",
            "core show settings",
            "core show help",
            "core show help core show channels",
            "help http show status",
            "core show applications",
            "core show application Answer",
            "core show functions",
            "core show function CALLERID",
            "core show codecs",
            "core show codecs audio",
            "core set verbose 3",
            "core set debug 1",
            "core set debug 0 signal",
        ],
    ),
    (
        "pjsip",
        &[
            "pjsip show endpoints",
            "pjsip show endpoints like ^tr",
            "pjsip show endpoint alice",
            "pjsip show endpoint nobody",
            "pjsip show aors",
            "pjsip show aor alice",
            "pjsip show auths",
            "pjsip show auth trunk",
            "pjsip show contacts",
            "pjsip show contact alice/sip:alice@client.invalid;transport=ws",
            "pjsip show contact alice/sip:nobody",
            "pjsip show transports",
            "pjsip show transport udp",
            "pjsip show registrations",
            "pjsip show registration nobody",
            "pjsip send register nobody",
            "pjsip send unregister nobody",
            "pjsip show identifies",
            "pjsip show identify provider",
            "pjsip show channels",
            "pjsip show channelstats",
            "pjsip show settings",
            "pjsip show version",
            "pjsip set logger on",
            "pjsip set logger host 192.0.2.1",
            "pjsip set logger off",
            "pjsip list aors",
            "pjsip list auths",
            "pjsip list contacts",
            "pjsip list endpoints",
            "pjsip list identifies",
            "pjsip list registrations",
            "pjsip list transports",
            "pjsip qualify alice",
            "pjsip qualify nobody",
        ],
    ),
    (
        "music",
        &["moh show classes", "moh show files", "moh reload"],
    ),
    (
        "rest",
        &[
            "dialplan show",
            "dialplan show c",
            "dialplan show 100@c",
            "dialplan show 250@c",
            "dialplan show nowhere",
            "dialplan show globals",
            "dialplan set global TRUNK PJSIP/other",
            "dialplan add extension 400,1,Echo() into c",
            "dialplan add include c into more",
            "dialplan remove include c from more",
            "dialplan remove extension 400@c",
            "dialplan remove context more",
            "dialplan save",
            "dialplan reload",
            "module reload",
            "module reload http",
            "module reload pjsip",
            "module reload nothing",
            "parking show",
            "parking show default",
            "parking show nothing",
            "core reload",
            "rtp show settings",
            "rtcp set debug on",
            "rtcp set debug off",
            "rtp set debug on",
            "rtp set debug ip 192.0.2.1",
            "rtp set debug off",
            "logger show channels",
            "logger show levels",
            "logger set level DEBUG on",
            "logger reload",
            "logger rotate",
            "database show",
            "devstate list",
            "devstate change Custom:lamp1 INUSE",
            "devstate change PJSIP/alice INUSE",
            "devstate change Custom:lamp1 HELD",
            "core show hints",
            "core show hint 1",
            "core show hint 9",
            "mwi update mailbox 1001@default 2 1",
            "mwi show mailbox 1001@default",
            "mwi delete mailbox 1001@default",
            "pjsip show subscriptions inbound",
            "pjsip show subscriptions outbound",
            "database put cid 1001 Alice",
            "database get cid 1001",
            "database get cid 1002",
            "database show cid",
            "database showkey 1001",
            "database del cid 1001",
            "database deltree cid",
            "cdr show status",
            "cdr submit",
            "realtime load ps_endpoints id nobody",
            "realtime load nothing id nobody",
            "sql show status",
            "channel originate PJSIP/trunk application Echo",
            "channel originate PJSIP/nobody application Echo",
            "core stop gracefully",
            "core abort shutdown",
            "core restart gracefully",
            "core restart when convenient",
            "core stop when convenient",
            "core abort shutdown",
            "channel request hangup PJSIP/nobody-00000000",
            "channel request hangup PJSIP/alice-00000000",
            "channel request hangup all",
            "call story",
        ],
    ),
];
