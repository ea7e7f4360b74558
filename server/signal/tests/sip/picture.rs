//! Key frames that are asked for by INFO (RFC 5168), by the far end and of it.
//!
//! The media of these tests asks whoever asks: it is as if the phone were connected to itself.

use std::time::Duration;

use sip::{HeaderName, Method, Request, Response};

use crate::support::{Exchange, PJSIP, Phone, call, in_dialog, reply};

const PLAN: &str = "[phones]\nexten => 100,1,Answer()\n same => n,Wait(20)\n";
const TYPE: &str = "application/media_control+xml";
const WISH: &str = "<?xml version=\"1.0\"?><media_control><vc_primitive><to_encoder>\
    <picture_fast_update/></to_encoder></vc_primitive></media_control>";

struct Talk {
    phone: Phone,
    invite: String,
    ok: Response,
    cseq: u32,
    _exchange: Exchange,
}

impl Talk {
    async fn begin() -> Self {
        let files = [("pjsip.conf", PJSIP), ("extensions.conf", PLAN)];
        let exchange = Exchange::with_files(&files, Default::default()).await;
        let mut phone = exchange.phone().await;
        let (invite, ok) = call(&mut phone, "100", "u").await;
        Self {
            phone,
            invite,
            ok,
            cseq: 2,
            _exchange: exchange,
        }
    }

    /// Sends an INFO with this body.
    async fn tell(&mut self, content_type: &str, body: &str) {
        self.cseq += 1;
        let length = body.len();
        let more =
            format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}");
        let text = in_dialog("INFO", self.cseq, &self.invite, &self.ok, &more);
        self.phone.send(&text).await;
    }

    /// The phone is asked; this request is what it is asked by. The answer to its own comes first or after.
    async fn asked(&mut self) -> Request {
        self.tell(TYPE, WISH).await;
        assert_eq!(self.phone.response().await.status.code(), 200);
        let request = self.phone.request().await;
        assert_eq!(request.method, Method::Info);
        let content_type = request.headers.get(&HeaderName::ContentType);
        assert_eq!(content_type, Some(TYPE));
        let body = std::str::from_utf8(&request.body).unwrap();
        assert!(body.contains("<picture_fast_update>"), "{body}");
        request
    }

    async fn is_left_alone(&mut self) {
        tokio::time::timeout(Duration::from_millis(300), self.phone.frame())
            .await
            .expect_err("nothing comes");
    }
}

#[tokio::test]
async fn who_asks_by_info_is_obeyed_and_asked_by_info() {
    let mut talk = Talk::begin().await;
    for _ in 0..2 {
        let request = talk.asked().await;
        // It is asked once at a time.
        talk.tell("Application/Media_Control+XML", WISH).await;
        assert_eq!(talk.phone.response().await.status.code(), 200);
        talk.is_left_alone().await;
        talk.phone.send(&reply(&request, 200, "")).await;
    }
    // Other words of that language ask for nothing.
    let error =
        "<media_control><general_error>no picture_fast_update</general_error></media_control>";
    talk.tell(TYPE, error).await;
    assert_eq!(talk.phone.response().await.status.code(), 200);
    talk.is_left_alone().await;
}

#[tokio::test]
async fn who_refuses_to_be_asked_is_asked_once_and_the_call_goes_on() {
    let mut talk = Talk::begin().await;
    let request = talk.asked().await;
    talk.phone.send(&reply(&request, 415, "")).await;
    talk.tell(TYPE, WISH).await;
    assert_eq!(talk.phone.response().await.status.code(), 200);
    talk.is_left_alone().await;
    talk.cseq += 1;
    let bye = in_dialog("BYE", talk.cseq, &talk.invite, &talk.ok, "");
    assert_eq!(talk.phone.ask(&bye).await.status.code(), 200);
}
