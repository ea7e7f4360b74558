//! Registrations of ours, in virtual time (RFC 3261 §10.2).

use std::time::{Duration, Instant};

use sip::digest::{Algorithm, Challenger, Check, Secret, Verdict};
use sip::{
    Credentials, HeaderName, Login, Method, NextRegister, Registration, RegistrationEvent,
    RegistrationRules, Request, Standing, Status,
};

use super::pair::some_moment;

const CONTACT: &str = "<sip:4930@192.0.2.2:5060;line=abc>";

fn rules() -> RegistrationRules {
    RegistrationRules {
        registrar: "sip:provider.example".parse().unwrap(),
        address: "sip:4930@provider.example".parse().unwrap(),
        routes: vec!["<sip:edge.example;lr>".to_owned()],
        supported: vec!["path".to_owned()],
        user_agent: Some("Trunk".to_owned()),
        logins: vec![Login {
            username: "4930".into(),
            realm: None,
            password: Some("secret".into()),
            digests: Vec::new(),
            algorithms: Vec::new(),
        }],
        expires_s: 600,
        retry: Duration::from_secs(60),
        forbidden_retry: Duration::ZERO,
        fatal_retry: Duration::ZERO,
        retries_max: 2,
        auth_rejection_permanent: true,
    }
}

struct Trunk {
    own: Registration,
    now: Instant,
    start: Instant,
}

impl Trunk {
    fn new(rules: RegistrationRules) -> Self {
        let now = some_moment();
        let mut own = Registration::new(rules, "call".to_owned(), "tag".to_owned());
        own.register(now);
        Self {
            own,
            now,
            start: now,
        }
    }

    /// The next REGISTER, and the second it goes out.
    fn next(&mut self) -> (u64, Request) {
        while let Some(at) = self.own.poll_timeout() {
            self.now = self.now.max(at);
            self.own.handle_timeout(self.now);
        }
        let request = match self.own.poll_send().expect("something to send") {
            NextRegister::Anew => self.own.compose(CONTACT).unwrap(),
            NextRegister::Again(request) => *request,
        };
        assert_eq!(self.own.poll_send(), None);
        ((self.now - self.start).as_secs(), request)
    }

    fn answer(&mut self, request: &Request, status: Status, headers: &[(HeaderName, &str)]) {
        let mut response = request.response(status);
        for (name, value) in headers {
            response.headers.push(name.clone(), value);
        }
        self.own
            .handle_response(self.now, Some(&response), "cnonce");
    }

    fn events(&mut self) -> Vec<RegistrationEvent> {
        std::iter::from_fn(|| self.own.poll_event()).collect()
    }
}

fn number(request: &Request) -> u32 {
    request.headers.cseq().unwrap().number
}

fn expires(request: &Request) -> &str {
    request.headers.get(&HeaderName::Expires).unwrap()
}

#[test]
fn registers_with_what_is_written_and_refreshes_before_it_expires() {
    let mut trunk = Trunk::new(rules());
    let (at, request) = trunk.next();
    assert_eq!((at, number(&request), expires(&request)), (0, 1, "600"));
    assert_eq!(
        String::from_utf8(request.to_bytes().to_vec()).unwrap(),
        "REGISTER sip:provider.example SIP/2.0\r\nRoute: <sip:edge.example;lr>\r\nMax-Forwards: 70\r\n\
         From: <sip:4930@provider.example>;tag=tag\r\nTo: <sip:4930@provider.example>\r\n\
         Call-ID: call\r\nCSeq: 1 REGISTER\r\nContact: <sip:4930@192.0.2.2:5060;line=abc>\r\n\
         Expires: 600\r\nSupported: path\r\nUser-Agent: Trunk\r\nContent-Length: 0\r\n\r\n"
    );
    // The registrar knows another contact, and grants ours less.
    let contact = format!("<sip:x@192.0.2.9>;expires=7, {CONTACT};expires=100");
    let headers = [
        (HeaderName::Contact, &*contact),
        (HeaderName::Expires, "50"),
    ];
    trunk.answer(&request, Status::OK, &headers);
    assert_eq!(trunk.own.standing(), Standing::Registered);
    let until = trunk.start + Duration::from_secs(100);
    assert_eq!(trunk.own.expires_at(), Some(until));
    let (at, request) = trunk.next();
    assert_eq!((at, number(&request)), (90, 2));
    trunk.answer(&request, Status::OK, &[(HeaderName::Expires, "12")]);
    let (at, request) = trunk.next();
    assert_eq!(at, 96, "half of a short time");
    trunk.answer(&request, Status::OK, &[]);
    assert_eq!(trunk.next().0, 96 + 590);
    let registered = |expires_s, again| RegistrationEvent::Registered { expires_s, again };
    let all = [
        registered(100, false),
        registered(12, true),
        registered(600, true),
    ];
    assert_eq!(trunk.events(), all);
}

#[test]
fn challenges_are_answered_stale_nonces_too_and_wrong_secrets_not_twice() {
    let mut challenger = Challenger::new([3; 32], Duration::from_secs(60));
    let mut challenge =
        |stale| challenger.challenge(100, "provider", Algorithm::Sha256, stale, b"source");
    let (first, stale) = (challenge(false), challenge(true));
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    trunk.answer(
        &request,
        Status::UNAUTHORIZED,
        &[(HeaderName::WwwAuthenticate, &first)],
    );
    let request = trunk.next().1;
    assert_eq!(number(&request), 2);
    trunk.answer(
        &request,
        Status::UNAUTHORIZED,
        &[(HeaderName::WwwAuthenticate, &stale)],
    );
    let request = trunk.next().1;
    assert_eq!((number(&request), trunk.now), (3, trunk.start));
    let value = request.headers.get(&HeaderName::Authorization).unwrap();
    let check = Check {
        source: b"source",
        method: &Method::Register,
        body: b"",
        realm: "provider",
        algorithm: Algorithm::Sha256,
        username: "4930",
        secret: Secret::Password("secret"),
    };
    let verdict = challenger.verify(100, &Credentials::parse(value).unwrap(), &check);
    assert_eq!(verdict, Verdict::Ok);
    trunk.answer(
        &request,
        Status::UNAUTHORIZED,
        &[(HeaderName::WwwAuthenticate, &first)],
    );
    assert_eq!(trunk.own.standing(), Standing::Rejected);
    assert_eq!(trunk.own.poll_timeout(), None, "auth_rejection_permanent");
    let status = Some(Status::UNAUTHORIZED);
    let gave_up = RegistrationEvent::GaveUp {
        status,
        exhausted: false,
    };
    assert_eq!(trunk.events(), [gave_up]);
    // The next REGISTER, by hand, has a higher number.
    trunk.own.register(trunk.now);
    assert_eq!(number(&trunk.next().1), 4);
}

#[test]
fn a_wrong_secret_is_tried_again_where_that_is_wished() {
    let mut trunk = Trunk::new(RegistrationRules {
        auth_rejection_permanent: false,
        logins: Vec::new(),
        ..rules()
    });
    for at in [0, 60, 120] {
        let (when, request) = trunk.next();
        assert_eq!(when, at);
        trunk.answer(&request, Status::PROXY_AUTHENTICATION_REQUIRED, &[]);
    }
    assert_eq!(trunk.own.poll_timeout(), None, "max_retries");
    let last = trunk.events().pop();
    let status = Some(Status::PROXY_AUTHENTICATION_REQUIRED);
    let exhausted = true;
    assert_eq!(last, Some(RegistrationEvent::GaveUp { status, exhausted }));
}

#[test]
fn an_interval_that_is_too_brief_is_lengthened_and_stays_so() {
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    let brief = [(HeaderName::MinExpires, "1800")];
    trunk.answer(&request, Status::INTERVAL_TOO_BRIEF, &brief);
    let (at, request) = trunk.next();
    assert_eq!((at, expires(&request), number(&request)), (0, "1800", 2));
    trunk.answer(&request, Status::OK, &[]);
    let (at, request) = trunk.next();
    assert_eq!((at, expires(&request)), (1_790, "1800"));
    // One that is long enough already, or says nothing, is a refusal.
    trunk.answer(&request, Status::INTERVAL_TOO_BRIEF, &brief);
    assert_eq!(trunk.own.standing(), Standing::Rejected);
    assert_eq!(trunk.own.poll_timeout(), None);
}

#[test]
fn every_refusal_waits_as_long_as_its_option_says() {
    let retried = |change: fn(&mut RegistrationRules), status: Option<u16>, after: Option<&str>| {
        let mut rules = rules();
        change(&mut rules);
        let mut trunk = Trunk::new(rules);
        let request = trunk.next().1;
        match status {
            Some(code) => {
                let after = after.map(|after| (HeaderName::RetryAfter, after));
                let status = Status::new(code).unwrap();
                trunk.answer(&request, status, after.as_slice());
            }
            None => trunk.own.handle_response(trunk.now, None, "cnonce"),
        }
        assert_eq!(trunk.own.standing(), Standing::Rejected);
        let at = trunk.own.poll_timeout();
        at.map(|at| (at - trunk.now).as_secs())
    };
    let plain = |_: &mut RegistrationRules| {};
    let forbidden = |rules: &mut RegistrationRules| rules.forbidden_retry = Duration::from_secs(7);
    let fatal = |rules: &mut RegistrationRules| rules.fatal_retry = Duration::from_secs(9);
    assert_eq!(retried(plain, None, None), Some(60));
    for code in [408, 500, 502, 503, 504, 600, 603] {
        assert_eq!(retried(plain, Some(code), None), Some(60), "{code}");
    }
    for code in [302, 403, 404, 501] {
        assert_eq!(retried(plain, Some(code), None), None, "{code}");
    }
    assert_eq!(retried(forbidden, Some(403), None), Some(7));
    assert_eq!(retried(forbidden, Some(404), None), None);
    assert_eq!(retried(fatal, Some(403), None), Some(9));
    assert_eq!(retried(fatal, Some(404), None), Some(9));
    assert_eq!(retried(plain, Some(404), Some("15 (soon)")), Some(15));
    assert_eq!(retried(plain, Some(503), Some("4294967295")), Some(86_400));
    let never = |rules: &mut RegistrationRules| rules.retries_max = 0;
    assert_eq!(retried(never, Some(503), None), None);
    let at_once = |rules: &mut RegistrationRules| rules.retry = Duration::ZERO;
    assert_eq!(retried(at_once, Some(503), None), Some(1));
}

#[test]
fn a_200_that_grants_nothing_is_tried_again() {
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    trunk.answer(&request, Status::OK, &[(HeaderName::Expires, "0")]);
    assert_eq!(trunk.own.standing(), Standing::Rejected);
    assert_eq!(trunk.next().0, 60);
}

#[test]
fn it_is_taken_back_with_credentials_and_for_good() {
    let mut challenger = Challenger::new([3; 32], Duration::from_secs(60));
    let challenge = challenger.challenge(100, "provider", Algorithm::Md5, false, b"source");
    let challenge = [(HeaderName::WwwAuthenticate, &*challenge)];
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    // It is not known yet whether there is anything to take back.
    trunk.own.unregister(true);
    assert_eq!(trunk.own.standing(), Standing::Stopping);
    trunk.answer(&request, Status::UNAUTHORIZED, &challenge);
    let request = trunk.next().1;
    assert_eq!(expires(&request), "600");
    trunk.answer(&request, Status::OK, &[]);
    let (at, request) = trunk.next();
    assert_eq!((at, expires(&request)), (0, "0"));
    assert_eq!(request.headers.get(&HeaderName::Contact), Some(CONTACT));
    trunk.answer(&request, Status::UNAUTHORIZED, &challenge);
    let request = trunk.next().1;
    assert_eq!(expires(&request), "0");
    trunk.own.register(trunk.now);
    trunk.answer(&request, Status::OK, &[(HeaderName::Expires, "0")]);
    assert!(trunk.own.is_over());
    assert_eq!(trunk.own.poll_timeout(), None);
    // Nothing to take back, nothing to send.
    let mut silent = Registration::new(rules(), "call".to_owned(), "tag".to_owned());
    silent.register(some_moment());
    silent.unregister(true);
    assert!(silent.is_over() && silent.poll_send().is_none());
}

#[test]
fn taken_back_by_hand_it_can_be_registered_again() {
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    trunk.answer(&request, Status::OK, &[]);
    trunk.own.unregister(false);
    let request = trunk.next().1;
    assert_eq!(expires(&request), "0");
    trunk.own.register(trunk.now);
    // Nobody answers: we do not refresh it any more all the same.
    trunk.own.handle_response(trunk.now, None, "cnonce");
    assert_eq!(trunk.own.standing(), Standing::Unregistered);
    let (at, request) = trunk.next();
    assert_eq!((at, expires(&request)), (0, "600"));
}

#[test]
fn a_contact_that_changes_meanwhile_is_registered_after_the_answer() {
    let moved = |trunk: &mut Trunk| {
        let request = trunk.next().1;
        trunk.own.renew(trunk.now);
        assert_eq!(trunk.own.poll_timeout(), None, "the answer is waited for");
        request
    };
    let mut trunk = Trunk::new(rules());
    for at in [0, 590] {
        let request = moved(&mut trunk);
        trunk.answer(&request, Status::OK, &[]);
        let (when, request) = trunk.next();
        assert_eq!(when, at, "at once");
        trunk.answer(&request, Status::OK, &[]);
        // A reload with other rules does the same.
        trunk.own.register(trunk.now);
        let request = trunk.next().1;
        trunk.own.register(trunk.now);
        trunk.answer(&request, Status::OK, &[]);
        assert_eq!(trunk.next().0, at);
        // The next place of the registrar is told the new one in its stead.
        trunk.own.renew(trunk.now);
        let request = trunk.own.compose(CONTACT).unwrap();
        trunk.answer(&request, Status::OK, &[]);
    }
    // What was refused may have been refused for what is not true any more.
    let request = moved(&mut trunk);
    trunk.answer(&request, Status::NOT_FOUND, &[]);
    let (when, request) = trunk.next();
    assert_eq!(when, 2 * 590 + 1);
    trunk.answer(&request, Status::NOT_FOUND, &[]);
    assert_eq!(trunk.own.poll_timeout(), None);
    // And what is given up stays so.
    trunk.own.renew(trunk.now);
    assert_eq!(trunk.own.poll_timeout(), None);
}

#[test]
fn a_contact_that_changes_keeps_nothing_that_is_taken_back() {
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    trunk.answer(&request, Status::OK, &[]);
    trunk.own.register(trunk.now);
    let request = trunk.next().1;
    trunk.own.unregister(false);
    trunk.own.renew(trunk.now);
    trunk.answer(&request, Status::OK, &[]);
    trunk.own.renew(trunk.now);
    let request = trunk.next().1;
    assert_eq!(expires(&request), "0");
    trunk.own.renew(trunk.now);
    trunk.answer(&request, Status::OK, &[]);
    assert_eq!(trunk.own.standing(), Standing::Unregistered);
    trunk.own.renew(trunk.now);
    assert_eq!(trunk.own.poll_timeout(), None);
}

#[test]
fn a_lost_connection_is_a_new_registration_but_no_flood() {
    let mut trunk = Trunk::new(rules());
    let request = trunk.next().1;
    trunk.own.handle_flow_closed(trunk.now);
    assert_eq!(
        trunk.own.poll_timeout(),
        None,
        "its transaction tells of it"
    );
    trunk.answer(&request, Status::OK, &[]);
    trunk.own.handle_flow_closed(trunk.now);
    assert_eq!(trunk.next().0, 1);
    assert_eq!(trunk.events().pop(), Some(RegistrationEvent::FlowLost));
    // The next place of the registrar is asked with the next number.
    assert_eq!(number(&trunk.own.compose(CONTACT).unwrap()), 3);
}
