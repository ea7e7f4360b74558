//! A trunk that wants a proof of each request: what `outbound_auth` answers over a real socket, from the
//! INVITE to the BYE (RFC 3261 §22, RFC 7616).

use std::time::Duration;

use signal::Keepalive;
use sip::digest::{Algorithm, Challenger, Check, Secret, Verdict};
use sip::{Credentials, HeaderName, Method, Request};
use switch::Cause;

use crate::outbound::{EMPTY, originate, tagged, with_answer};
use crate::support::{DeskPhone, Exchange, PJSIP, reply, until};

const REALM: &str = "provider.example";

/// The provider: it knows what it asked for, and takes a nonce for as long as it likes.
struct Provider {
    phone: DeskPhone,
    challenger: Challenger,
    algorithm: Algorithm,
    seconds: u64,
}

impl Provider {
    /// It calls itself a proxy.
    fn challenge(&mut self, stale: bool) -> String {
        let Self {
            challenger,
            algorithm,
            seconds,
            ..
        } = self;
        let value = challenger.challenge(*seconds, REALM, *algorithm, stale, b"trunk");
        format!("Proxy-Authenticate: {value}\r\n{EMPTY}")
    }

    fn verdict(&mut self, request: &Request) -> Verdict {
        let value = request.headers.get(&HeaderName::ProxyAuthorization);
        let Some(value) = value else {
            return Verdict::Missing;
        };
        let check = Check {
            source: b"trunk",
            method: &request.method,
            body: b"",
            realm: REALM,
            algorithm: self.algorithm,
            username: "account",
            secret: Secret::Password("s3cret"),
        };
        let credentials = Credentials::parse(value).unwrap();
        self.challenger.verify(self.seconds, &credentials, &check)
    }

    /// Refuses a request for want of a proof, and returns the next one, which has it.
    async fn refuse(&mut self, request: &Request, stale: bool) -> Request {
        let challenge = self.challenge(stale);
        let refusal = match request.method {
            Method::Invite => tagged(request, 407, "p", &challenge),
            _ => reply(request, 407, &challenge),
        };
        self.phone.send(refusal.as_bytes()).await;
        if request.method == Method::Invite {
            assert_eq!(self.phone.request().await.method, Method::Ack);
        }
        let again = self.phone.request().await;
        assert_eq!(again.method, request.method);
        let number = |request: &Request| request.headers.cseq().unwrap().number;
        assert!(number(&again) > number(request));
        again
    }
}

#[tokio::test]
async fn each_request_of_a_call_to_a_trunk_is_proven_when_it_is_asked_for() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let probe = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let pjsip = format!(
            "{PJSIP}\n[trunk](phone)\naors=trunk\noutbound_auth=elsewhere,to-trunk\n\
             [elsewhere]\ntype=auth\nusername=nobody\npassword=x\nrealm=other.example\n\
             [to-trunk]\ntype=auth\nusername=account\npassword=s3cret\nrealm={REALM}\n\
             [trunk]\ntype=aor\ncontact=sip:127.0.0.1:{port}\n"
        );
        let exchange = Exchange::with(&pjsip, Keepalive::default()).await;
        let mut provider = Provider {
            phone: DeskPhone::at(port, exchange.udp).await,
            challenger: Challenger::new([7; 32], Duration::from_secs(60)),
            algorithm,
            seconds: 100,
        };
        let begun = originate(&exchange, "PJSIP/4930@trunk").await.unwrap();
        let first = provider.phone.request().await;
        assert_eq!(provider.verdict(&first), Verdict::Missing);
        let signed = provider.refuse(&first, false).await;
        // It came too late, but it was right: a new nonce is answered without a word.
        provider.seconds += 61;
        assert_eq!(provider.verdict(&signed), Verdict::Stale);
        let again = provider.refuse(&signed, true).await;
        assert_eq!(provider.verdict(&again), Verdict::Ok);
        let call_id = |request: &Request| request.headers.call_id().unwrap().to_string();
        assert_eq!(call_id(&again), call_id(&first));
        let ok = tagged(&again, 200, "p", &with_answer());
        provider.phone.send(ok.as_bytes()).await;
        assert_eq!(provider.phone.request().await.method, Method::Ack);
        assert!(begun.await.unwrap().is_ok());

        exchange.switch.directory().all()[0].hangup(Cause::NormalClearing);
        let bye = provider.phone.request().await;
        assert_eq!(bye.method, Method::Bye);
        let signed = provider.refuse(&bye, false).await;
        assert_eq!(provider.verdict(&signed), Verdict::Ok);
        let done = reply(&signed, 200, EMPTY);
        provider.phone.send(done.as_bytes()).await;
        until("the call is over", || exchange.signal.counts().invites == 0).await;
    }
}

#[tokio::test]
async fn a_trunk_that_does_not_take_the_proof_is_not_asked_again() {
    let probe = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let pjsip = format!(
        "{PJSIP}\n[trunk](phone)\naors=trunk\noutbound_auth=to-trunk\n\
         [to-trunk]\ntype=auth\nusername=account\npassword=wrong\n\
         [trunk]\ntype=aor\ncontact=sip:127.0.0.1:{port}\n"
    );
    let exchange = Exchange::with(&pjsip, Keepalive::default()).await;
    let mut provider = Provider {
        phone: DeskPhone::at(port, exchange.udp).await,
        challenger: Challenger::new([7; 32], Duration::from_secs(60)),
        algorithm: Algorithm::Md5,
        seconds: 100,
    };
    let begun = originate(&exchange, "PJSIP/4930@trunk").await.unwrap();
    let first = provider.phone.request().await;
    let signed = provider.refuse(&first, false).await;
    assert_eq!(provider.verdict(&signed), Verdict::Wrong);
    let challenge = provider.challenge(false);
    let refusal = tagged(&signed, 407, "p", &challenge);
    provider.phone.send(refusal.as_bytes()).await;
    assert_eq!(provider.phone.request().await.method, Method::Ack);
    assert_eq!(begun.await.unwrap(), Err(Cause::CallRejected));
    until("nothing is left", || exchange.signal.counts().invites == 0).await;
}
