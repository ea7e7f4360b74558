//! A real call to an echo: INVITE, ICE, DTLS, SRTP both ways, BYE.

use std::time::Duration;

use config::{Config, MediaEncryption};
use serde_json::json;
use sip::{Contacts, HeaderName, Message, Response};
use tokio::time::Instant;

use crate::link::register::Who;
use crate::media::{Media, Seen};
use crate::phone::{Draft, Failed, Phone};
use crate::places::Places;
use crate::report::Link;

const NAME: &str = "call";

/// Extensions of a context that echo, the usual ones first.
pub(crate) fn echo_of(config: &Config, context: &str) -> Option<String> {
    let mut contexts = vec![context];
    let mut next = 0;
    while let Some(name) = contexts.get(next).copied().filter(|_| next < CONTEXTS_MAX) {
        next += 1;
        let found = config.plan.contexts().find(|(other, _)| *other == name);
        let includes = found
            .map(|(_, extensions)| extensions.includes())
            .unwrap_or_default();
        for include in includes {
            if !contexts.contains(&include.context.as_str()) {
                contexts.push(&include.context);
            }
        }
    }
    let all = config
        .plan
        .contexts()
        .filter(|(name, _)| contexts.contains(name));
    let mut echoes: Vec<&str> = all
        .flat_map(|(_, extensions)| extensions.iter())
        .filter(|extension| extension.pattern.is_none())
        .filter(|extension| {
            let mut steps = extension.steps.values();
            steps.any(|step| {
                ECHOES
                    .iter()
                    .any(|echo| step.application.eq_ignore_ascii_case(echo))
            })
        })
        .map(|extension| extension.name.as_str())
        .collect();
    echoes.sort_by_key(|name| {
        USUAL
            .iter()
            .position(|usual| usual == name)
            .unwrap_or(USUAL.len())
    });
    echoes.first().map(|name| (*name).to_owned())
}

const ECHOES: [&str; 2] = ["Echo", "StreamEcho"];
const USUAL: [&str; 2] = ["600", "246"];
/// Contexts that are searched: includes may run in circles.
const CONTEXTS_MAX: usize = 128;

/// What to add where nothing echoes.
pub(crate) fn without_echo(context: &str, places: &Places<'_>) -> Link {
    let mut link = Link::new(NAME, "nothing to call");
    link.fail(
        Some(places.option("extensions.conf", context, &[])),
        format!("no extension of context `{context}` runs Echo() or StreamEcho(): there is nothing that proves media"),
        format!(
            "add to extensions.conf, under [{context}], and run `dialplan reload`:\nexten => 600,1,Answer()\n \
             same => n,Echo()\n same => n,Hangup()\nor name one that echoes with --exten"
        ),
    );
    link
}

/// Calls `exten` and counts packets.
pub(crate) async fn examine(
    phone: &mut Phone,
    who: &Who<'_>,
    exten: &str,
    config: Option<&Config>,
    places: &Places<'_>,
) -> Link {
    let mut link = Link::new(NAME, format!("{exten} as {}", who.account.id));
    let (media, offer) = match Media::offer().await {
        Ok(made) => made,
        Err(error) => {
            link.fail(
                None,
                format!("no media on this machine: {error}"),
                "see `ip address`",
            );
            return link;
        }
    };
    match call(phone, media, offer, exten).await {
        Ok(Call::Refused(response)) => refused(&response, who, exten, places, &mut link),
        Ok(Call::Unusable(reason)) => link.fail(
            who.place(places, "endpoint", &["allow", "webrtc", "media_encryption"]),
            format!("the answer to the call of {exten} is of no use to a browser: {reason}"),
            "write webrtc=yes at the endpoint",
        ),
        Ok(Call::Over {
            seen,
            answered_ms,
            ended,
        }) => {
            judge(&seen, exten, ended, who, config, places, &mut link);
            link.summary = summary(&seen, exten, who, answered_ms);
            link.details = json!({ "exten": exten, "answered_ms": answered_ms, "media": seen });
        }
        Err(failed) => link.fail(
            None,
            format!("INVITE to {exten}: {failed}"),
            "see the log of the exchange and the stories of /status",
        ),
    }
    link
}

/// How a call went.
enum Call {
    Refused(Box<Response>),
    Unusable(String),
    Over {
        seen: Seen,
        answered_ms: u128,
        /// The exchange hung up before enough came back.
        ended: bool,
    },
}

async fn call(
    phone: &mut Phone,
    mut media: Media,
    offer: String,
    exten: &str,
) -> Result<Call, Failed> {
    let uri = format!("sip:{exten}@{}", phone.domain());
    let mut draft = phone.draft("INVITE", uri.clone(), format!("<{uri}>"))?;
    draft.more = format!(
        "Contact: <{};ob>\r\nContent-Type: application/sdp\r\nAllow: INVITE,ACK,CANCEL,BYE,OPTIONS,UPDATE\r\n",
        phone.contact()
    );
    draft.body = offer;
    let begun = Instant::now();
    let (response, invite) = phone.ask(draft).await?;
    if !response.status.is_success() {
        phone.acknowledge(&invite, &response).await?;
        return Ok(Call::Refused(Box::new(response)));
    }
    let answered_ms = begun.elapsed().as_millis();
    let Some(dialog) = Dialog::of(&invite, &response) else {
        return Ok(Call::Unusable("it has no Contact".to_owned()));
    };
    let ack = dialog.request(phone, "ACK", invite.cseq)?;
    phone.send(ack).await?;
    let answer = sdp::parse(&response.body).map_err(|error| error.to_string());
    let accepted = answer.and_then(|sdp| media.accept(sdp).map_err(|error| error.to_string()));
    if let Err(reason) = accepted {
        dialog.bye(phone).await?;
        return Ok(Call::Unusable(reason));
    }
    let ended = talk(phone, &mut media, &dialog).await?;
    if !ended {
        dialog.bye(phone).await?;
    }
    Ok(Call::Over {
        seen: media.close().await,
        answered_ms,
        ended,
    })
}

/// Sends until enough has come back, the exchange hangs up, or time is over. True if it hung up.
async fn talk(phone: &mut Phone, media: &mut Media, dialog: &Dialog) -> Result<bool, Failed> {
    let end = Instant::now() + TALK_MAX;
    loop {
        let seen = &media.seen;
        let audio = seen.audio.received >= ENOUGH;
        let video = seen.video.sent == 0 || seen.video.received >= ENOUGH;
        if audio && video || seen.down.is_some() || media.is_in_vain() {
            return Ok(false);
        }
        let message = tokio::select! {
            () = media.turn() => continue,
            message = phone.next() => message?,
            () = tokio::time::sleep_until(end) => return Ok(false),
        };
        let Message::Request(request) = message else {
            continue;
        };
        let is_ours = request
            .headers
            .call_id()
            .is_ok_and(|id| id == dialog.invite.call_id);
        match (is_ours, request.method.as_str()) {
            (true, "BYE") => {
                phone.reply(&request, "200 OK", "", "").await?;
                return Ok(true);
            }
            (true, "INVITE" | "UPDATE") if !request.body.is_empty() => {
                let offer = sdp::parse(&request.body).map_err(|error| error.to_string());
                let answer =
                    offer.and_then(|sdp| media.answer(sdp).map_err(|error| error.to_string()));
                match answer {
                    Ok(answer) => {
                        let more = format!(
                            "Contact: <{}>\r\nContent-Type: application/sdp\r\n",
                            phone.contact()
                        );
                        phone.reply(&request, "200 OK", &more, &answer).await?;
                    }
                    Err(_) => {
                        phone
                            .reply(&request, "488 Not Acceptable Here", "", "")
                            .await?
                    }
                }
            }
            (true, "INVITE" | "UPDATE" | "INFO") => phone.reply(&request, "200 OK", "", "").await?,
            _ => phone.decline(&request).await?,
        }
    }
}

/// Packets that must come back.
const ENOUGH: u64 = 50;
/// How long a call lasts if they do not; ICE has found a pair by then, if there is one.
const TALK_MAX: Duration = Duration::from_secs(10);

/// What the 200 to our INVITE made.
struct Dialog {
    invite: Draft,
    target: String,
    to: String,
}

impl Dialog {
    fn of(invite: &Draft, response: &Response) -> Option<Self> {
        let Ok(Contacts::List(contacts)) = response.headers.contacts() else {
            return None;
        };
        Some(Self {
            invite: invite.clone(),
            target: contacts.first()?.address.uri.to_string(),
            to: response.headers.get(&HeaderName::To)?.to_owned(),
        })
    }

    /// The text of a request in the dialog.
    fn request(&self, phone: &Phone, method: &'static str, cseq: u32) -> Result<String, Failed> {
        let draft = self.draft(method, cseq)?;
        Ok(phone.text(&draft))
    }

    fn draft(&self, method: &'static str, cseq: u32) -> Result<Draft, Failed> {
        Ok(Draft {
            method,
            uri: self.target.clone(),
            to: self.to.clone(),
            call_id: self.invite.call_id.clone(),
            tag: self.invite.tag.clone(),
            cseq,
            branch: crate::phone::random()?,
            more: String::new(),
            body: String::new(),
        })
    }

    async fn bye(&self, phone: &mut Phone) -> Result<(), Failed> {
        let draft = self.draft("BYE", phone.next_cseq())?;
        phone.ask(draft).await.map(|_| ())
    }
}

fn summary(seen: &Seen, exten: &str, who: &Who<'_>, answered_ms: u128) -> String {
    let mut text = format!(
        "{exten} as {}: answered after {answered_ms} ms",
        who.account.id
    );
    if let Some((local, remote)) = seen.pair {
        text.push_str(&format!(", ICE {local} ↔ {remote}"));
    }
    if let (Some(dtls), Some(srtp)) = (seen.dtls, seen.srtp) {
        text.push_str(&format!(", {dtls}, {srtp}"));
    }
    text.push_str(&format!(
        ", audio {} packets sent and {} received",
        seen.audio.sent, seen.audio.received
    ));
    if seen.video.sent > 0 {
        text.push_str(&format!(
            ", video {} and {}",
            seen.video.sent, seen.video.received
        ));
    }
    text
}

fn judge(
    seen: &Seen,
    exten: &str,
    ended: bool,
    who: &Who<'_>,
    config: Option<&Config>,
    places: &Places<'_>,
    link: &mut Link,
) {
    let ports = || {
        let ports = config.map(|config| config.rtp.ports.clone());
        let range = ports.map(|ports| format!("{}-{}", ports.start(), ports.end()));
        range.unwrap_or_else(|| "of rtp.conf".to_owned())
    };
    let rtp = || Some(places.option("rtp.conf", "general", &["rtpstart", "rtpend"]));
    if seen.pair.is_none() {
        link.fail(
            rtp(),
            format!("{exten} answers, but no ICE check gets through: the media addresses do not reach each other"),
            format!(
                "open UDP {} in the firewall (link `firewall`); from outside, set external_media_address",
                ports()
            ),
        );
    } else if seen.dtls.is_none() {
        link.fail(
            rtp(),
            format!("{exten} answers and ICE finds a pair, but the DTLS handshake does not end"),
            "something on the way drops large or DTLS datagrams: look at the path's MTU and its firewall",
        );
    } else if seen.audio.received == 0 {
        let cause = if ended {
            "the exchange hung up"
        } else {
            "nothing came back"
        };
        link.fail(
            who.place(places, "endpoint", &["allow"]),
            format!("{exten} takes {} packets of sound and {cause}", seen.audio.sent),
            format!("does {exten} reach Echo() or StreamEcho()? `dialplan show {exten}@` lists its steps"),
        );
    } else if seen.audio.received < ENOUGH {
        let sent = seen.audio.sent;
        link.warn(
            rtp(),
            format!(
                "of {sent} packets of sound only {} came back",
                seen.audio.received
            ),
            "packets are lost on the way: see the links `buffers` and `firewall`",
        );
    } else if seen.video.sent > 0 && seen.video.received == 0 {
        link.note(format!("{exten} sends no picture back"));
    }
}

/// Says so where the endpoint is called as desk phones are; this call is a browser's.
fn is_desk_phone(who: &Who<'_>, places: &Places<'_>, link: &mut Link) -> bool {
    let endpoint = who.subscriber.map(|subscriber| &subscriber.endpoint);
    let desk = endpoint.filter(|endpoint| endpoint.media_encryption != MediaEncryption::Dtls);
    let Some(endpoint) = desk else {
        return false;
    };
    link.fail(
        who.place(places, "endpoint", &["webrtc", "media_encryption"]),
        format!(
            "the endpoint {} is not described as a browser: its media goes without ICE and DTLS, as desk \
             phones have it, and this call, like a browser's, needs both",
            endpoint.id
        ),
        "write webrtc=yes at the endpoint if it is a browser; for a desk phone this call proves nothing",
    );
    true
}

fn refused(response: &Response, who: &Who<'_>, exten: &str, places: &Places<'_>, link: &mut Link) {
    if matches!(response.status.code(), 488 | 606) && is_desk_phone(who, places, link) {
        return;
    }
    let answer = format!("{} {}", response.status.code(), response.reason);
    let context = who
        .subscriber
        .map_or("", |subscriber| &subscriber.endpoint.context);
    let (place, cure) = match response.status.code() {
        401 | 403 | 407 => (
            who.place(places, "auth", &["password", "md5_cred", "username"]),
            "compare username and password of the auth that the endpoint names with what the phone uses"
                .to_owned(),
        ),
        404 => (
            who.place(places, "endpoint", &["context"]),
            format!(
                "context `{context}` has no extension {exten}: add it to extensions.conf, or change context= \
                 of the endpoint"
            ),
        ),
        488 | 606 => (
            who.place(places, "endpoint", &["webrtc", "allow", "disallow", "media_encryption"]),
            "let the endpoint take what browsers offer: webrtc=yes, disallow=all, allow=opus,ulaw,vp8"
                .to_owned(),
        ),
        503 => (
            Some(places.option("rtp.conf", "general", &["rtpstart", "rtpend"])),
            "the exchange is full, stopping, or has no media port: see its log".to_owned(),
        ),
        _ => (
            who.place(places, "endpoint", &[]),
            "see the stories of /status and the log of the exchange, which say why".to_owned(),
        ),
    };
    link.fail(
        place,
        format!("the call of {exten} is refused with {answer}"),
        cure,
    );
}
