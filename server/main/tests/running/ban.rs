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
const LIKE_ASTERISKS: &str = r"^\[[^\]]+\] (?:NOTICE|SECURITY|WARNING)\[\d+\]:? [^:]+:\d* Request '\w+' from '[^']*' failed for '([0-9.]+):\d+' \(callid: [^)]*\) - (?:No matching endpoint found|Failed to authenticate)$";

fn of_the_page() -> Regex {
    let mut lines = PAGE.lines();
    let line = lines.find_map(|line| line.strip_prefix("failregex = "));
    Regex::new(&line.unwrap().replace("<HOST>", HOST)).unwrap()
}

/// A REGISTER with a digest that is made up.
fn fails(world: &World, user: &str) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", world.udp)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut line = String::new();
    for cseq in 1..=2 {
        let request = format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{user}{cseq}\r\n\
             From: <sip:{user}@127.0.0.1>;tag=1\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: call-{user}\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@127.0.0.1>\r\nMax-Forwards: 70\r\n{line}\
             Content-Length: 0\r\n\r\n"
        );
        socket.send(request.as_bytes()).unwrap();
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut buffer).unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
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

#[test]
fn fail2ban_finds_who_fails_to_authenticate() {
    let desk = "auth=desk\n[desk]\ntype=auth\nauth_type=userpass\nusername=desk\npassword=x1y2\n";
    let files = |world: &World| {
        let endpoint = "[desk]\ntype=endpoint\ncontext=c\nallow=ulaw\n";
        vec![
            ("pjsip.conf", world.pjsip(&format!("{endpoint}{desk}"))),
            ("http.conf", world.http("")),
            ("extensions.conf", PLAN.to_owned()),
            (
                "logger.conf",
                "[logfiles]\nmessages => notice,warning,error\n".to_owned(),
            ),
        ]
    };
    let world = World::with_files("ban", files, &[]);
    let own = of_the_page();
    let asterisks = Regex::new(LIKE_ASTERISKS).unwrap();
    for (user, words) in [
        ("desk", "Failed to authenticate"),
        ("mallory", "No matching endpoint found"),
    ] {
        let port = fails(&world, user);
        let expected = format!(
            "NOTICE[{}]: signal: Request 'REGISTER' from '<sip:{user}@127.0.0.1>' failed for \
             '127.0.0.1:{port}' (callid: call-{user}) - {words}",
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
        // fail2ban takes the date out of a line before it reads it.
        let (_, rest) = line.split_once(']').unwrap();
        let undated = format!("[]{rest}");
        assert_eq!(&own.captures(&undated).unwrap()[1], "127.0.0.1", "{line}");
        // The other line says all of it to people.
        let text = std::fs::read_to_string(&file).unwrap();
        let said = format!(
            "remote=127.0.0.1:{port} transport=\"udp\" method=REGISTER call_id=\"call-{user}\" user=\"{user}\""
        );
        let told = |line: &&str| line.contains("authentication failed") && line.contains(&said);
        assert_eq!(text.lines().filter(told).count(), 1, "{text}");
    }
    // As the journal has it, which keeps the date to itself.
    let stderr = world.log();
    let line = stderr
        .lines()
        .find(|line| line.contains(" - Failed to authenticate"));
    assert!(own.is_match(line.unwrap()), "{stderr}");
}
