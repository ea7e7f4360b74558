//! A registration of ours and any registrar: whatever is answered, lost, asked for or configured anew, the machine does
//! not panic, sends what a registrar can read, never two REGISTERs for one answer, waits before it tries again, counts
//! its tries, and stays over when it is over.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use sip::{
    HeaderName, Login, Message, Method, NextRegister, Registration, RegistrationEvent,
    RegistrationRules, Request, Standing, Status,
};

const CONTACT: &str = "<sip:4930@192.0.2.2:5060;line=abc>";

const STATUSES: [u16; 16] = [
    200, 200, 200, 202, 301, 400, 401, 403, 404, 407, 408, 423, 500, 503, 603, 699,
];

const CHALLENGES: [&str; 4] = [
    "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
    "Digest realm=\"r\", nonce=\"n2\", stale=true, algorithm=SHA-256, qop=\"auth\"",
    "Basic realm=\"r\"",
    "Digest",
];

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Text of the input's own, for the values of headers.
    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(self.next()? % 64);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn seconds(&mut self) -> Option<u32> {
        let byte = u32::from(self.next()?);
        // Some are large.
        Some(match byte {
            0..=199 => byte,
            _ => u32::MAX >> (byte - 200).min(31),
        })
    }
}

struct World {
    own: Registration,
    now: Instant,
    /// The REGISTER that waits for its answer.
    open: Option<Request>,
    cseq: u32,
    /// REGISTERs of our own accord since the last wish of somebody, and the time of the first.
    tries: u32,
}

impl World {
    fn new(input: &mut Input<'_>) -> Option<Self> {
        let own = Registration::new(rules(input)?, "call".to_owned(), "tag".to_owned());
        Some(Self {
            own,
            now: Instant::now(),
            open: None,
            cseq: 0,
            tries: 0,
        })
    }

    fn drain(&mut self) {
        let mut sent = 0;
        while let Some(next) = self.own.poll_send() {
            sent += 1;
            assert!(sent <= 1, "one REGISTER at a time");
            let request = match next {
                NextRegister::Anew => match self.own.compose(CONTACT) {
                    Some(request) => request,
                    None => continue,
                },
                NextRegister::Again(request) => *request,
            };
            self.check(&request);
            self.open = Some(request);
        }
        let mut events = 0;
        while let Some(event) = self.own.poll_event() {
            events += 1;
            assert!(events <= 4, "it says little at a time");
            match event {
                RegistrationEvent::Retrying { after, .. } => {
                    assert!(after >= Duration::from_secs(1), "no flood");
                    self.tries += 1;
                }
                RegistrationEvent::Registered { expires_s, .. } => {
                    assert!(expires_s > 0 && expires_s <= 365 * 24 * 3600);
                    self.tries = 0;
                }
                RegistrationEvent::Unregistered
                | RegistrationEvent::GaveUp { .. }
                | RegistrationEvent::FlowLost => {}
            }
        }
        if self.own.is_over() {
            assert_eq!(self.own.poll_timeout(), None, "over is over");
        }
    }

    fn check(&mut self, request: &Request) {
        let read = Message::parse(&request.to_bytes()).expect("a registrar can read it");
        let Message::Request(read) = read else {
            panic!("a REGISTER is a request");
        };
        assert_eq!(read.method, Method::Register);
        let headers = &read.headers;
        assert_eq!(headers.call_id().expect("a Call-ID"), "call");
        let cseq = headers.cseq().expect("a CSeq").number;
        assert!(cseq > self.cseq, "RFC 3261 §10.2: it is incremented");
        self.cseq = cseq;
        assert!(headers.expires().expect("Expires").is_some());
        assert_eq!(headers.get_all(&HeaderName::Contact).count(), 1);
    }

    fn answer(&mut self, input: &mut Input<'_>) -> Option<()> {
        let status = STATUSES[usize::from(input.next()?) % STATUSES.len()];
        let Some(request) = self.open.clone() else {
            return Some(());
        };
        let mut response = request.response(Status::new(status).expect("a status"));
        let headers = &mut response.headers;
        for _ in 0..input.next()? % 4 {
            let kind = input.next()?;
            let challenge = CHALLENGES[usize::from(kind) % CHALLENGES.len()];
            match kind % 8 {
                0 => headers.push(HeaderName::WwwAuthenticate, challenge),
                1 => headers.push(HeaderName::ProxyAuthenticate, challenge),
                2 => headers.push(HeaderName::MinExpires, &input.seconds()?.to_string()),
                3 => headers.push(HeaderName::RetryAfter, &input.seconds()?.to_string()),
                4 => headers.push(HeaderName::Expires, &input.seconds()?.to_string()),
                5 => {
                    let contact = format!("{CONTACT};expires={}", input.seconds()?);
                    headers.push(HeaderName::Contact, &contact);
                }
                6 => headers.push(HeaderName::Contact, input.text()?),
                _ => headers.push(HeaderName::WwwAuthenticate, input.text()?),
            }
        }
        self.open = None;
        self.own
            .handle_response(self.now, Some(&response), "cnonce");
        Some(())
    }

    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.next()? % 11 {
            0..=3 => self.answer(input)?,
            4 => {
                self.open = None;
                self.own.handle_response(self.now, None, "cnonce");
            }
            5 => {
                self.now += Duration::from_secs(input.seconds()?.min(1 << 20).into());
                while let Some(at) = self.own.poll_timeout().filter(|at| *at <= self.now) {
                    self.own.handle_timeout(self.now);
                    assert_ne!(self.own.poll_timeout(), Some(at), "a deadline is dealt with");
                }
            }
            6 => {
                self.tries = 0;
                let at = self.now + Duration::from_secs((input.next()? % 16).into());
                self.own.register(at);
            }
            7 => {
                let for_good = input.next()? % 4 == 0;
                self.own.unregister(for_good);
            }
            8 => self.own.handle_flow_closed(self.now),
            9 => {
                self.tries = 0;
                self.own.renew(self.now);
            }
            _ => {
                self.tries = 0;
                self.own.set_rules(rules(input)?);
            }
        }
        self.drain();
        // A rejection that comes again and again is given up.
        assert!(self.tries <= 300, "{:?}", self.own);
        Some(())
    }
}

fn rules(input: &mut Input<'_>) -> Option<RegistrationRules> {
    let seconds = |byte: u8| Duration::from_secs((byte % 8).into());
    Some(RegistrationRules {
        registrar: "sip:provider.example".parse().expect("a URI"),
        address: "sip:4930@provider.example".parse().expect("a URI"),
        routes: vec!["<sip:edge.example;lr>".to_owned()],
        supported: vec!["path".to_owned()],
        user_agent: None,
        logins: vec![Login {
            username: "4930".into(),
            realm: None,
            password: Some("secret".into()),
            digests: Vec::new(),
            algorithms: Vec::new(),
        }],
        expires_s: input.seconds()?,
        retry: seconds(input.next()?),
        forbidden_retry: seconds(input.next()?),
        fatal_retry: seconds(input.next()?),
        retries_max: (input.next()? % 8).into(),
        auth_rejection_permanent: input.next()? % 2 == 0,
    })
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let Some(mut world) = World::new(&mut input) else {
        return;
    };
    while world.step(&mut input).is_some() {}
    // Whoever leaves for good is over when the last answer has come, or never will.
    world.own.unregister(true);
    world.drain();
    for _ in 0..4 {
        if world.open.take().is_some() {
            world.own.handle_response(world.now, None, "cnonce");
        }
        world.drain();
    }
    assert_eq!(world.own.standing(), Standing::Stopped, "{:?}", world.own);
});
