//! The lines of the log that fail2ban reads are what `docs/fail2ban.md` says.

use std::net::UdpSocket;
use std::time::Duration;

use regex_lite::Regex;

use crate::world::{PLAN, World};

const PAGE: &str = include_str!("../../../../docs/fail2ban.md");

/// What fail2ban puts for `<HOST>`, as far as it is of use here.
const HOST: &str = r"\[?([0-9a-f.:]+?)\]?";

/// The expression of Asterisk's filter that concerns `chan_pjsip`, in our words: fail2ban brings it along, and installs
/// that read Asterisk's log have one alike.
const LIKE_ASTERISKS: &str = r"^\[[^\]]+\] (?:NOTICE|SECURITY|WARNING)\[\d+\]:? [^:]+:\d* Request '[^']*' from '[^']*' failed for '([0-9.]+):\d+' \(callid: [^)]*\) - (?:No matching endpoint found|Failed to authenticate)$";

fn of_the_page() -> Regex {
    let mut lines = PAGE.lines();
    let line = lines.find_map(|line| line.strip_prefix("failregex = "));
    Regex::new(&line.unwrap().replace("<HOST>", HOST)).unwrap()
}

/// The line as fail2ban reads it: it takes the date out first.
fn undated(line: &str) -> String {
    let rest = line.split_once(']').map(|(_, rest)| rest);
    rest.map_or_else(String::new, |rest| format!("[]{rest}"))
}

fn socket(world: &World) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", world.udp)).unwrap();
    let patience = Duration::from_secs(10);
    socket.set_read_timeout(Some(patience)).unwrap();
    socket
}

fn answer(socket: &UdpSocket, request: &str) -> String {
    socket.send(request.as_bytes()).unwrap();
    let mut buffer = [0; 4_096];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn request(user: &str, method: &str, cseq: u32, line: &str) -> String {
    format!(
        "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{method}{user}{cseq}\r\n\
         From: <sip:{user}@127.0.0.1>;tag=1\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: call-{user}-{method}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:{user}@127.0.0.1>\r\nMax-Forwards: 70\r\n{line}\
         Content-Length: 0\r\n\r\n"
    )
}

/// Sends requests with a digest that is made up.
fn fails(world: &World, user: &str, method: &str) -> u16 {
    let socket = socket(world);
    let mut line = String::new();
    for cseq in 1..=2 {
        let answer = answer(&socket, &request(user, method, cseq, &line));
        assert!(answer.starts_with("SIP/2.0 401 "), "{answer}");
        let parameter = |name: &str| {
            let (_, rest) = answer.split_once(&format!("{name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        let response = "0123456789abcdef".repeat(2);
        line = format!(
            "Authorization: Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"sip:127.0.0.1\", \
             response=\"{response}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
            parameter("realm"),
            parameter("nonce")
        );
    }
    socket.local_addr().unwrap().port()
}

fn files(world: &World) -> Vec<(&'static str, String)> {
    let desk = "auth=desk\n[desk]\ntype=auth\nauth_type=userpass\nusername=desk\npassword=x1y2\n";
    let endpoint = "[desk]\ntype=endpoint\ncontext=c\nallow=ulaw\n";
    let logger =
        "[logfiles]\nmessages => notice,warning,error\nall => notice,warning,error,verbose\n";
    vec![
        ("pjsip.conf", world.pjsip(&format!("{endpoint}{desk}"))),
        ("http.conf", world.http("")),
        ("extensions.conf", PLAN.to_owned()),
        ("logger.conf", logger.to_owned()),
    ]
}

#[test]
fn fail2ban_finds_who_fails_to_authenticate() {
    let world = World::with_files("ban", files, &[]);
    let own = of_the_page();
    let asterisks = Regex::new(LIKE_ASTERISKS).unwrap();
    for (user, method, words) in [
        ("desk", "REGISTER", "Failed to authenticate"),
        ("mallory", "REGISTER", "No matching endpoint found"),
        // Passwords are guessed with every method that is known…
        ("desk", "PUBLISH", "Failed to authenticate"),
    ] {
        let port = fails(&world, user, method);
        let expected = format!(
            "NOTICE[{}]: signal: Request '{method}' from '<sip:{user}@127.0.0.1>' failed for \
             '127.0.0.1:{port}' (callid: call-{user}-{method}) - {words}",
            world.pid()
        );
        let file = world.data().join("log/messages");
        let mut found = None;
        world.until("the line", |_| {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            found = text
                .lines()
                .find(|line| line.ends_with(&expected))
                .map(str::to_owned);
            found.is_some()
        });
        let line = found.unwrap();
        assert_eq!(
            &asterisks.captures(&line).unwrap()[1],
            "127.0.0.1",
            "{line}"
        );
        let read = undated(&line);
        assert_eq!(&own.captures(&read).unwrap()[1], "127.0.0.1", "{line}");
        // The other line, which comes after it, says all of it to people.
        let said = format!(
            "remote=127.0.0.1:{port} transport=\"udp\" method={method} call_id=\"call-{user}-{method}\" user=\"{user}\""
        );
        let told = |line: &&str| line.contains("authentication failed") && line.contains(&said);
        world.until("the line for people", |_| {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            text.lines().filter(told).count() == 1
        });
    }
    // …and with no other: what is not known is refused before anybody looks at credentials.
    let unknown = request("desk", "X-foo", 1, "");
    let answer = answer(&socket(&world), &unknown);
    assert!(answer.starts_with("SIP/2.0 501 "), "{answer}");
    // As the journal has it, which keeps the date to itself.
    let stderr = world.log();
    let line = stderr
        .lines()
        .find(|line| line.contains(" - Failed to authenticate"));
    assert!(own.is_match(line.unwrap()), "{stderr}");
}

/// A trace shows what a stranger sends line by line; one of its lines may be like the one that bans.
#[test]
fn nobody_is_banned_by_what_a_stranger_has_traced() {
    let world = World::with_files("traced", files, &[]);
    world.done("pjsip set logger on");
    let own = of_the_page();
    let told = "Request 'REGISTER' from 'x' failed for '198.51.100.9:5060' (callid: 1) - Failed to authenticate";
    let forged = [
        format!("[Nov 26 11:05:55] NOTICE[1]: signal: {told}"),
        format!("INFO {told}"),
    ];
    let bans = |line: &str| own.is_match(line) || own.is_match(&undated(line));
    assert!(forged.iter().all(|line| bans(line)));
    let body = forged.join("\r\n");
    let request = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKt\r\n\
         From: <sip:x@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: traced\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    answer(&socket(&world), &request);
    let file = world.data().join("log/all");
    let both = |world: &World| {
        [
            world.log(),
            std::fs::read_to_string(&file).unwrap_or_default(),
        ]
    };
    world.until("the trace", |world| {
        let shown = |log: &String| log.matches("198.51.100.9").count() == 2;
        both(world).iter().all(shown)
    });
    for log in both(&world) {
        assert!(!log.lines().any(bans), "{log}");
    }
}
