//! Digest authentication: the values of the RFCs, and what a challenger must not fall for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use sip::digest::{
    Algorithm, Answer, Challenger, Check, Input, NONCES_MAX, Qop, Secret, Verdict, response,
    userhash,
};
use sip::{Challenge, Credentials, Method};

const LIFETIME: Duration = Duration::from_secs(300);
const NOW_S: u64 = 1_790_000_000;

fn rfc_7616(algorithm: Algorithm) -> String {
    let input = Input {
        algorithm,
        username: "Mufasa",
        realm: "http-auth@example.org",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        method: &Method::from("GET"),
        uri: "/dir/index.html",
        qop: Qop::Auth,
        nc: "00000001",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    };
    response(&input, Secret::Password("Circle of Life"))
}

#[test]
fn responses_are_those_of_the_rfcs() {
    // RFC 2617 §3.5.
    let input = Input {
        algorithm: Algorithm::Md5,
        username: "Mufasa",
        realm: "testrealm@host.com",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method: &Method::from("GET"),
        uri: "/dir/index.html",
        qop: Qop::Auth,
        nc: "00000001",
        cnonce: "0a4f113b",
    };
    let secret = Secret::Password("Circle Of Life");
    assert_eq!(response(&input, secret), "6629fae49393a05397450978507c4ef1");
    // The HA1 of the same user gives the same response.
    let secret = Secret::Ha1("939E7578ED9E3C518A452ACEE763BCE9");
    assert_eq!(response(&input, secret), "6629fae49393a05397450978507c4ef1");
    // RFC 7616 §3.9.1.
    assert_eq!(rfc_7616(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        rfc_7616(Algorithm::Sha256),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
}

fn rfc_7616_sha512_256() -> (String, String) {
    let input = Input {
        algorithm: Algorithm::Sha512_256,
        username: "J\u{e4}s\u{f8}n Doe",
        realm: "api@example.org",
        nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        method: &Method::from("GET"),
        uri: "/doe.json",
        qop: Qop::Auth,
        nc: "00000001",
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    };
    let userhash = userhash(Algorithm::Sha512_256, input.username, input.realm);
    (
        response(&input, Secret::Password("Secret, or not?")),
        userhash,
    )
}

/// RFC 7616 §3.9.2 prints a truncated SHA-512 (`ae66e67d…`, `48886947…`); these are the values of
/// erratum 4897, made with the SHA-512/256 of FIPS 180-4.
#[test]
fn sha_512_256_is_the_true_one() {
    let (response, userhash) = rfc_7616_sha512_256();
    assert_eq!(
        response,
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    );
    assert_eq!(
        userhash,
        "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    );
}

struct Client {
    username: &'static str,
    password: &'static str,
    method: Method,
}

const ALICE: Client = Client {
    username: "alice",
    password: "sécret",
    method: Method::Register,
};

impl Client {
    fn answer(&self, challenge: &str, nc: u32) -> Credentials {
        let challenge = Challenge::parse(challenge).unwrap();
        let answer = Answer {
            username: self.username,
            secret: Secret::Password(self.password),
            method: &self.method,
            uri: "sip:example.com",
            cnonce: "0a4f113b",
            nc,
        };
        Credentials::parse(&answer.authorization(&challenge).unwrap()).unwrap()
    }
}

fn check(algorithm: Algorithm) -> Check<'static> {
    Check {
        source: b"source",
        method: &Method::Register,
        body: b"",
        realm: "example.com",
        algorithm,
        username: "alice",
        secret: Secret::Password("sécret"),
    }
}

fn verify(challenger: &mut Challenger, now_s: u64, credentials: &Credentials) -> Verdict {
    challenger.verify(now_s, credentials, &check(Algorithm::Md5))
}

fn challenger() -> (Challenger, String) {
    let mut challenger = Challenger::new([7; 32], LIFETIME);
    let challenge = challenger.challenge(NOW_S, "example.com", Algorithm::Md5, false, b"source");
    (challenger, challenge)
}

#[test]
fn the_right_password_is_accepted_with_every_algorithm() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
        let mut challenger = Challenger::new([7; 32], LIFETIME);
        let challenge = challenger.challenge(NOW_S, "example.com", algorithm, false, b"source");
        let credentials = ALICE.answer(&challenge, 1);
        assert_eq!(
            challenger.verify(NOW_S, &credentials, &check(algorithm)),
            Verdict::Ok
        );
        // An answer with another algorithm than the one that was asked for is no answer.
        let other = if algorithm == Algorithm::Md5 {
            Algorithm::Sha256
        } else {
            Algorithm::Md5
        };
        assert_eq!(
            challenger.verify(NOW_S, &credentials, &check(other)),
            Verdict::Missing
        );
    }
}

#[test]
fn a_challenge_is_one_and_offers_auth_alone() {
    let (_, challenge) = challenger();
    let parsed = Challenge::parse(&challenge).unwrap();
    assert_eq!(parsed.get("qop"), Some("auth"));
    assert_eq!(parsed.get("algorithm"), Some("MD5"));
    assert_eq!(parsed.get("realm"), Some("example.com"));
    assert_eq!(parsed.get("stale"), None);
    let mut challenger = Challenger::new([7; 32], LIFETIME);
    let stale = challenger.challenge(NOW_S, "a \"b\" \\c", Algorithm::Md5, true, b"source");
    let stale = Challenge::parse(&stale).unwrap();
    assert_eq!(stale.get("stale"), Some("true"));
    assert_eq!(stale.get("realm"), Some("a \"b\" \\c"));
}

#[test]
fn wrong_passwords_users_and_requests_are_refused() {
    let (mut challenger, challenge) = challenger();
    let wrong = Client {
        password: "secret",
        ..ALICE
    };
    assert_eq!(
        verify(&mut challenger, NOW_S, &wrong.answer(&challenge, 1)),
        Verdict::Wrong
    );
    // Mallory knows a password, but it is not Alice's name that stands there.
    let other = Client {
        username: "mallory",
        ..ALICE
    };
    assert_eq!(
        verify(&mut challenger, NOW_S, &other.answer(&challenge, 1)),
        Verdict::Wrong
    );
    // Credentials made for another method.
    let moved = Client {
        method: Method::Invite,
        ..ALICE
    };
    assert_eq!(
        verify(&mut challenger, NOW_S, &moved.answer(&challenge, 1)),
        Verdict::Wrong
    );
}

#[test]
fn an_old_nonce_is_stale_only_for_who_knows_the_password() {
    let (mut challenger, challenge) = challenger();
    let credentials = ALICE.answer(&challenge, 1);
    let end_s = NOW_S + LIFETIME.as_secs();
    assert_eq!(verify(&mut challenger, end_s, &credentials), Verdict::Ok);
    let credentials = ALICE.answer(&challenge, 2);
    assert_eq!(
        verify(&mut challenger, end_s + 1, &credentials),
        Verdict::Stale
    );
    let wrong = Client {
        password: "secret",
        ..ALICE
    };
    let guess = wrong.answer(&challenge, 3);
    assert_eq!(verify(&mut challenger, end_s + 1, &guess), Verdict::Wrong);
}

#[test]
fn a_nonce_of_another_server_or_a_changed_one_is_not_even_tried() {
    let (mut ours, _) = challenger();
    let mut theirs = Challenger::new([8; 32], LIFETIME);
    let challenge = theirs.challenge(NOW_S, "example.com", Algorithm::Md5, false, b"source");
    assert_eq!(
        verify(&mut ours, NOW_S, &ALICE.answer(&challenge, 1)),
        Verdict::Foreign
    );
    let (mut ours, challenge) = challenger();
    let later = challenge.replace(&format!("{NOW_S:010x}"), &format!("{:010x}", NOW_S + 60));
    assert_ne!(later, challenge);
    assert_eq!(
        verify(&mut ours, NOW_S, &ALICE.answer(&later, 1)),
        Verdict::Foreign
    );
}

#[test]
fn a_nonce_is_good_for_the_source_it_was_given_to() {
    let (mut challenger, challenge) = challenger();
    let elsewhere = Check {
        source: b"elsewhere",
        ..check(Algorithm::Md5)
    };
    // Whether the password is right does not show.
    let guesser = Client {
        password: "guess",
        ..ALICE
    };
    for user in [ALICE, guesser] {
        let verdict = challenger.verify(NOW_S, &user.answer(&challenge, 1), &elsewhere);
        assert_eq!(verdict, Verdict::Foreign);
    }
    let credentials = ALICE.answer(&challenge, 1);
    assert!(challenger.has_issued(credentials.get("nonce").unwrap(), b"source"));
    assert!(!challenger.has_issued(credentials.get("nonce").unwrap(), b"elsewhere"));
    assert_eq!(verify(&mut challenger, NOW_S, &credentials), Verdict::Ok);
}

#[test]
fn a_nonce_may_be_used_again_with_a_new_count_and_never_with_a_spent_one() {
    let (mut challenger, challenge) = challenger();
    let mut spend = |nc| verify(&mut challenger, NOW_S, &ALICE.answer(&challenge, nc));
    assert_eq!(spend(1), Verdict::Ok);
    assert_eq!(spend(1), Verdict::Replayed);
    assert_eq!(spend(2), Verdict::Ok);
    // Requests may overtake each other.
    assert_eq!(spend(5), Verdict::Ok);
    assert_eq!(spend(4), Verdict::Ok);
    assert_eq!(spend(4), Verdict::Replayed);
    assert_eq!(spend(200), Verdict::Ok);
    // Too far behind to know: refused.
    assert_eq!(spend(6), Verdict::Replayed);
    assert_eq!(spend(u32::MAX), Verdict::Ok);
    assert_eq!(spend(u32::MAX), Verdict::Replayed);
}

#[test]
fn without_qop_a_nonce_is_good_for_one_request() {
    let (mut challenger, challenge) = challenger();
    let challenge = challenge.replace(", qop=\"auth\"", "");
    let credentials = ALICE.answer(&challenge, 1);
    assert_eq!(credentials.get("qop"), None);
    assert_eq!(verify(&mut challenger, NOW_S, &credentials), Verdict::Ok);
    assert_eq!(
        verify(&mut challenger, NOW_S, &credentials),
        Verdict::Replayed
    );
}

#[test]
fn auth_int_covers_the_body() {
    let (mut challenger, challenge) = challenger();
    let nonce = Challenge::parse(&challenge)
        .unwrap()
        .get("nonce")
        .unwrap()
        .to_owned();
    let input = Input {
        algorithm: Algorithm::Md5,
        username: "alice",
        realm: "example.com",
        nonce: &nonce,
        method: &Method::Register,
        uri: "sip:example.com",
        qop: Qop::AuthInt(b"v=0"),
        nc: "00000001",
        cnonce: "c",
    };
    let answer = response(&input, Secret::Password("sécret"));
    let text = format!(
        "Digest username=\"alice\", realm=\"example.com\", nonce=\"{nonce}\", uri=\"sip:example.com\", \
         qop=auth-int, nc=00000001, cnonce=\"c\", response=\"{answer}\", algorithm=MD5"
    );
    let credentials = Credentials::parse(&text).unwrap();
    let with_body = |body| Check {
        source: b"source",
        body,
        ..check(Algorithm::Md5)
    };
    assert_eq!(
        challenger.verify(NOW_S, &credentials, &with_body(b"v=1")),
        Verdict::Wrong
    );
    assert_eq!(
        challenger.verify(NOW_S, &credentials, &with_body(b"v=0")),
        Verdict::Ok
    );
}

#[test]
fn no_credentials_are_told_from_malformed_ones() {
    let (mut challenger, challenge) = challenger();
    let mut of = |text: &str| verify(&mut challenger, NOW_S, &Credentials::parse(text).unwrap());
    // sipML5 before it was challenged.
    let early =
        "Digest username=\"alice\",realm=\"example.com\",nonce=\"\",uri=\"sip:x\",response=\"\"";
    assert_eq!(of(early), Verdict::Missing);
    assert_eq!(
        of("NoOneKnowsThisScheme opaque-data=here"),
        Verdict::Missing
    );
    assert_eq!(
        of("Digest username=\"alice\", realm=\"elsewhere\", nonce=\"1\", response=\"2\""),
        Verdict::Missing
    );
    assert_eq!(
        of("Digest realm=\"example.com\", nonce=\"1\", response=\"2\""),
        Verdict::Malformed
    );
    let good = ALICE.answer(&challenge, 1);
    let text = |from: &str, to: &str| {
        let get = |name| good.get(name).unwrap();
        let (nonce, response) = (get("nonce"), get("response"));
        format!(
            "Digest username=\"alice\", realm=\"example.com\", nonce=\"{nonce}\", uri=\"sip:example.com\", \
             response=\"{response}\", algorithm=MD5, qop=auth, cnonce=\"0a4f113b\", nc=00000001"
        )
        .replace(from, to)
    };
    for (from, to) in [
        ("nc=00000001", "nc=0"),
        ("nc=00000001", "nc=zz"),
        ("nc=00000001", "nc=+1"),
        ("nc=00000001", "nc=100000000"),
        (", nc=00000001", ""),
        (", cnonce=\"0a4f113b\"", ""),
        ("qop=auth", "qop=both"),
        ("uri=\"sip:example.com\"", "uri=\"\""),
    ] {
        assert_eq!(of(&text(from, to)), Verdict::Malformed, "{from} -> {to}");
    }
    assert_eq!(of(&text("", "")), Verdict::Ok);
}

#[test]
fn a_full_table_forgets_the_oldest_nonce_and_never_accepts_it_again() {
    let mut challenger = Challenger::new([7; 32], LIFETIME);
    let mut challenge =
        || challenger.challenge(NOW_S, "example.com", Algorithm::Md5, false, b"source");
    let challenges: Vec<_> = (0..=NONCES_MAX).map(|_| challenge()).collect();
    for challenge in &challenges {
        let credentials = ALICE.answer(challenge, 1);
        assert_eq!(verify(&mut challenger, NOW_S, &credentials), Verdict::Ok);
    }
    let replay = ALICE.answer(&challenges[0], 1);
    assert_eq!(verify(&mut challenger, NOW_S, &replay), Verdict::Stale);
    let replay = ALICE.answer(&challenges[1], 1);
    assert_eq!(verify(&mut challenger, NOW_S, &replay), Verdict::Replayed);
}

#[test]
fn a_user_may_have_a_shorter_lifetime_of_nonces_than_others() {
    let (mut challenger, challenge) = challenger();
    let credentials = ALICE.answer(&challenge, 1);
    let check = check(Algorithm::Md5);
    let short = Duration::from_secs(5);
    let later = challenger.verify_within(NOW_S + 6, &credentials, &check, short);
    assert_eq!(later, Verdict::Stale);
    let sooner = challenger.verify_within(NOW_S + 5, &credentials, &check, short);
    assert_eq!(sooner, Verdict::Ok);
}
