//! Calls of ours that are challenged (RFC 3261 §22).

use std::time::Duration;

use sip::digest::{Algorithm, Challenger, Check, Secret, Verdict};
use sip::{
    Body, Credentials, Event, Failure, HeaderName, InviteId, Login, Method, Request, Status,
    Transport,
};

use super::pair::outgoing;
use super::solo::{SDP, Solo, request};

const REALM: &str = "example.com";

fn login(realm: Option<&str>) -> Login {
    Login {
        username: "trunk".into(),
        realm: realm.map(Into::into),
        password: Some("secret".into()),
        digests: Vec::new(),
        algorithms: Vec::new(),
    }
}

fn call(logins: Vec<Login>) -> Solo {
    let mut solo = Solo::new(Transport::Udp);
    solo.act(|agent, now, flow| {
        let mut invite = outgoing(Some("offer"));
        invite.logins = logins;
        agent.invite(now, flow, invite)
    });
    solo
}

/// Whether the header proves that its sender knows the secret.
fn proves(challenger: &mut Challenger, request: &Request, algorithm: Algorithm) -> Verdict {
    let value = request.headers.get(&HeaderName::Authorization).unwrap();
    let check = Check {
        source: b"source",
        method: &Method::Invite,
        body: b"",
        realm: REALM,
        algorithm,
        username: "trunk",
        secret: Secret::Password("secret"),
    };
    challenger.verify(100, &Credentials::parse(value).unwrap(), &check)
}

#[test]
fn a_challenge_is_answered_once_with_the_topmost_algorithm() {
    let mut solo = call(vec![login(Some("elsewhere")), login(None)]);
    let first = solo.last_request().clone();
    let mut challenger = Challenger::new([3; 32], Duration::from_secs(60));
    let strong = challenger.challenge(100, REALM, Algorithm::Sha256, false, b"source");
    let weak = challenger.challenge(100, REALM, Algorithm::Md5, false, b"source");
    let challenges = format!("WWW-Authenticate: {strong}\nWWW-Authenticate: {weak}");
    solo.answer("401 Unauthorized", "proxy", &challenges);
    assert_eq!(solo.lines(), ["INVITE", "ACK", "INVITE"]);
    let second = call_again(&mut solo, &first, &challenges);
    assert_eq!(second.headers.cseq().unwrap().number, 2);
    for name in [HeaderName::CallId, HeaderName::From, HeaderName::To] {
        assert_eq!(first.headers.get(&name), second.headers.get(&name));
    }
    assert_eq!(
        second.headers.get_all(&HeaderName::Authorization).count(),
        1
    );
    assert_eq!(
        proves(&mut challenger, &second, Algorithm::Sha256),
        Verdict::Ok
    );
    // §22.1: the ACK of the 2xx carries them too.
    solo.answer_to(&second, "200 OK", "bob", SDP);
    let ack = solo.last_request();
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(
        ack.headers.get(&HeaderName::Authorization),
        second.headers.get(&HeaderName::Authorization)
    );
    assert!(matches!(solo.events[..], [Event::Answered { .. }]));
}

/// The INVITE that answered: made anew by a second agent of the same seed, since `lines` forgets.
fn call_again(solo: &mut Solo, first: &Request, challenges: &str) -> Request {
    let mut again = call(vec![login(Some("elsewhere")), login(None)]);
    assert_eq!(
        again.last_request(),
        first,
        "the same seed makes the same call"
    );
    again.answer("401 Unauthorized", "proxy", challenges);
    let second = again.last_request().clone();
    *solo = again;
    solo.lines();
    second
}

#[test]
fn an_algorithm_that_may_not_be_used_is_passed_over() {
    let weak = Login {
        algorithms: vec![Algorithm::Md5],
        ..login(None)
    };
    let mut solo = call(vec![weak]);
    let challenge = |algorithm| {
        format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm={algorithm}")
    };
    let both = format!("{}\n{}", challenge("SHA-256"), challenge("MD5"));
    solo.answer("401 Unauthorized", "proxy", &both);
    let headers = &solo.last_request().headers;
    let value = headers.get(&HeaderName::Authorization).unwrap();
    assert!(value.contains("algorithm=MD5"), "{value}");
}

#[test]
fn a_proxy_is_answered_in_its_own_header() {
    let mut solo = call(vec![login(None)]);
    let challenge = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"";
    solo.answer("407 Proxy Authentication Required", "proxy", challenge);
    let headers = &solo.last_request().headers;
    assert!(headers.has(&HeaderName::ProxyAuthorization));
    assert!(!headers.has(&HeaderName::Authorization));
}

#[test]
fn refused_credentials_are_not_repeated_unless_their_nonce_was_stale() {
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\"";
    let mut solo = call(vec![login(None)]);
    solo.answer("401 Unauthorized", "proxy", challenge);
    solo.answer(
        "401 Unauthorized",
        "proxy",
        &format!("{challenge}, stale=true"),
    );
    assert_eq!(solo.lines(), ["INVITE", "ACK", "INVITE", "ACK", "INVITE"]);
    let mut solo = call(vec![login(None)]);
    solo.answer("401 Unauthorized", "proxy", challenge);
    solo.answer("401 Unauthorized", "proxy", challenge);
    assert_eq!(solo.lines(), ["INVITE", "ACK", "INVITE", "ACK"]);
    assert_failed(&solo, 401);
}

#[test]
fn a_challenge_nobody_can_answer_is_the_end() {
    for (logins, challenge) in [
        (vec![], "Digest realm=\"example.com\", nonce=\"n\""),
        (
            vec![login(Some("other"))],
            "Digest realm=\"example.com\", nonce=\"n\"",
        ),
        (vec![login(None)], "Bearer realm=\"example.com\""),
        (
            vec![login(None)],
            "Digest realm=\"example.com\", nonce=\"n\", algorithm=FOO",
        ),
    ] {
        let mut solo = call(logins);
        solo.answer(
            "401 Unauthorized",
            "proxy",
            &format!("WWW-Authenticate: {challenge}"),
        );
        assert_eq!(solo.lines(), ["INVITE", "ACK"]);
        assert_failed(&solo, 401);
    }
}

/// A redirection is for the layer above, with its Contacts.
#[test]
fn a_redirection_is_handed_up() {
    let mut solo = call(Vec::new());
    solo.answer(
        "302 Moved Temporarily",
        "bob",
        "Contact: <sip:carol@example.com>",
    );
    assert_failed(&solo, 302);
}

#[track_caller]
fn assert_failed(solo: &Solo, status: u16) {
    let [
        Event::Failed {
            outcome: Failure::Response(response),
            ..
        },
        Event::Ended { .. },
    ] = &solo.events[..]
    else {
        panic!("{:?}", solo.events)
    };
    assert_eq!(response.status.code(), status);
}

/// An answered call to a peer that challenges every request, and the number of its INVITE.
fn answered() -> (Solo, InviteId) {
    let mut solo = call(vec![login(None)]);
    let more = format!("Allow: INVITE, UPDATE\nContact: <sip:b@b.invalid>\n{SDP}");
    solo.answer("200 OK", "bob", &more);
    solo.lines();
    let id = solo.events.iter().find_map(|event| match event {
        Event::Answered { id, .. } => Some(*id),
        _ => None,
    });
    solo.events.clear();
    (solo, id.unwrap())
}

const CHALLENGE: &str =
    "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

#[test]
fn requests_inside_the_call_are_signed_when_they_are_challenged() {
    let (mut solo, id) = answered();
    // A re-INVITE: ACK of the refusal, then the same offer once more.
    solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("offer 2")))
        .unwrap();
    solo.answer("407 Proxy Authentication Required", "", CHALLENGE);
    let again = solo.last_request().clone();
    assert_eq!(solo.lines(), ["INVITE", "ACK", "INVITE"]);
    solo.act(|agent, now, _| agent.reinvite(now, id, Body::sdp("offer 3")))
        .unwrap_err();
    assert_eq!(again.headers.cseq().unwrap().number, 3);
    assert_eq!(&again.body[..], b"offer 2");
    assert!(again.headers.has(&HeaderName::ProxyAuthorization));
    solo.answer_to(&again, "200 OK", "", SDP);
    let ack = solo.last_request().clone();
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(
        ack.headers.get(&HeaderName::ProxyAuthorization),
        again.headers.get(&HeaderName::ProxyAuthorization)
    );
    assert!(matches!(solo.events[..], [Event::Answer { .. }]));
    solo.events.clear();

    // A request of the layer above: it hears of the final response alone.
    let client = solo.act(|agent, now, _| agent.send(now, id, Method::Refer, Vec::new(), None));
    solo.answer("407 Proxy Authentication Required", "", CHALLENGE);
    assert!(solo.events.is_empty());
    assert_eq!(
        solo.last_request().headers.cseq().unwrap().to_string(),
        "5 REFER"
    );
    solo.answer("202 Accepted", "", "");
    assert!(matches!(
        &solo.events[..],
        [Event::Response { id, result: Ok(response) }]
            if *id == client && response.status == Status::ACCEPTED
    ));
    solo.events.clear();
    solo.lines();

    // The BYE: the call is over when the signed one is answered.
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    solo.answer("407 Proxy Authentication Required", "", CHALLENGE);
    assert_eq!(solo.lines(), ["BYE", "BYE"]);
    assert!(solo.events.is_empty());
}

#[test]
fn a_challenge_to_what_was_signed_is_a_refusal() {
    let (mut solo, id) = answered();
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    solo.answer("407 Proxy Authentication Required", "", CHALLENGE);
    solo.answer("407 Proxy Authentication Required", "", CHALLENGE);
    assert_eq!(solo.lines(), ["BYE", "BYE"]);
    assert!(matches!(solo.events[..], [Event::Ended { .. }]));
    // Stale nonces, one after the other, are not followed for ever.
    let (mut solo, id) = answered();
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    for _ in 0..10 {
        solo.answer(
            "407 Proxy Authentication Required",
            "",
            &format!("{CHALLENGE}, stale=true"),
        );
    }
    assert_eq!(solo.lines(), ["BYE"; 4]);
    assert!(matches!(solo.events[..], [Event::Ended { .. }]));
}

#[test]
fn a_caller_that_challenges_us_is_answered_with_what_we_were_told() {
    let mut solo = Solo::new(Transport::Ws);
    solo.receive(&request("INVITE", 1, "a", "", SDP));
    let id = solo.invited();
    solo.act(|agent, now, _| {
        agent.log_in_with(id, vec![login(None)]);
        agent.accept(now, id, Body::sdp("answer"));
    });
    let tag = solo.our_tag();
    solo.receive(&request("ACK", 1, "b", &tag, ""));
    solo.lines();
    solo.act(|agent, now, _| agent.hangup(now, id, Vec::new(), Status::DECLINE));
    let challenge = CHALLENGE.replace("Proxy-Authenticate", "WWW-Authenticate");
    solo.answer("401 Unauthorized", "", &challenge);
    assert!(solo.last_request().headers.has(&HeaderName::Authorization));
    assert_eq!(solo.lines(), ["BYE", "BYE"]);
}
