//! `StreamEcho`.

use std::fmt;
use std::time::Duration;

use codec::Kind;
use media::EchoMode;
use rtc::topology::{Direction, Topology};
use switch::story::{Side, StoryEvent};
use switch::{AppResult, Application, Args, Channel, Echo, Happened, NotRenegotiated, Offered};
use tokio::time::Instant;

use crate::arguments::{arrived, unusable, warn};
use crate::echo::NOT_ANSWERED;

/// Sends media back, one kind of it several times.
pub(crate) static STREAM_ECHO: Application = Application {
    name: "StreamEcho",
    synopsis: "Send media back, the first stream of a kind several times",
    doc: include_str!("stream_echo.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// What needs no round with the far end begins at once. Where more streams are asked for, nothing is sent
/// until the answer or for [`HELD_MAX`]: browsers make one key frame in 300 ms, however often they are
/// asked, and one that comes before the new streams are there would make their pictures late.
async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let wanted = match Wanted::parse(&args) {
        Ok(wanted) => wanted,
        Err(why) => return Err(unusable(call, NAME, &args, why)),
    };
    if !call.is_up() {
        warn(call, NAME, &args, NOT_ANSWERED);
    }
    let Some(wanted) = wanted else {
        return echo_until_pound(call, EchoMode::OneToOne).await;
    };
    match topology(call, &args, wanted) {
        Ask::Nothing => echo_until_pound(call, EchoMode::OneToOne).await,
        Ask::Same => echo_until_pound(call, EchoMode::FanOut(wanted.kind)).await,
        Ask::For(topology) => ask_and_echo(call, &args, wanted.kind, topology).await,
    }
}

async fn echo_until_pound(call: &mut Channel, mode: EchoMode) -> AppResult {
    arrived(call);
    call.relight().await;
    let _echo = call.echo(mode);
    while call.read_digit().await? != '#' {}
    Ok(())
}

async fn ask_and_echo(
    call: &mut Channel,
    args: &Args<'_>,
    kind: Kind,
    topology: Topology,
) -> AppResult {
    let held_until = Instant::now() + HELD_MAX;
    let mut question = Some(topology);
    let mut echo = None;
    loop {
        if call.is_established()
            && let Some(topology) = question.take()
        {
            match call.offer(topology.clone()).await? {
                Ok(Offered::Asked) => {}
                Ok(Offered::Stands) => fan_out(call, &mut echo, kind),
                // Another offer is open; this one is made when that has come to an end.
                Err(NotRenegotiated::Busy) => question = Some(topology),
                Err(why) => refused(call, args, &mut echo, why),
            }
        }
        let happened = match &echo {
            Some(_) => call.next().await?,
            None => match call.next_until(held_until).await? {
                Some(happened) => happened,
                None => {
                    echo = call.echo(EchoMode::OneToOne);
                    continue;
                }
            },
        };
        match happened {
            Happened::Digit('#') => return Ok(()),
            Happened::Agreed { by: Side::Us, .. } => fan_out(call, &mut echo, kind),
            Happened::OfferRefused { status } => {
                let why = format_args!("the caller refused more streams ({status})");
                refused(call, args, &mut echo, why);
            }
            Happened::Digit(_)
            | Happened::Established
            | Happened::Connected
            | Happened::Text(_)
            | Happened::Agreed { by: Side::Them, .. } => {}
        }
    }
}

/// There will be no more streams: what there is is sent back, and the log says why.
fn refused(call: &mut Channel, args: &Args<'_>, echo: &mut Option<Echo>, why: impl fmt::Display) {
    warn(
        call,
        NAME,
        args,
        format_args!("{why}; echo goes on one to one"),
    );
    if echo.is_none() {
        *echo = call.echo(EchoMode::OneToOne);
    }
}

/// Sends the first stream of a kind to all of that kind from now on.
fn fan_out(call: &Channel, echo: &mut Option<Echo>, kind: Kind) {
    // The old route goes before the new one comes: they would write to the same streams.
    drop(echo.take());
    *echo = call.echo(EchoMode::FanOut(kind));
}

/// How long the echo waits for the answer to a question for more streams.
const HELD_MAX: Duration = Duration::from_millis(300);

const NAME: &str = "StreamEcho";

/// What the arguments ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    count: usize,
    kind: Kind,
}

impl Wanted {
    /// `StreamEcho()`, `StreamEcho(4)`, `StreamEcho(2,audio)`.
    fn parse(args: &Args<'_>) -> Result<Option<Self>, &'static str> {
        let Some(count) = args.at(0) else {
            return Ok(None);
        };
        let count = count.parse().ok().filter(|count| *count > 0);
        let count = count.ok_or("the number of streams is a number from 1")?;
        let kind = match args.at(1).map(str::to_ascii_lowercase).as_deref() {
            None | Some("video") => Kind::Video,
            Some("audio") => Kind::Audio,
            Some(_) => return Err("the type is audio or video"),
        };
        Ok(Some(Self { count, kind }))
    }
}

/// Whether there is anything to ask the far end for.
enum Ask {
    /// It has no stream of that kind.
    Nothing,
    /// It has as many as it may have.
    Same,
    /// These streams.
    For(Topology),
}

/// The streams to ask for, within what the endpoint may have.
fn topology(call: &mut Channel, args: &Args<'_>, wanted: Wanted) -> Ask {
    let Wanted { count, kind } = wanted;
    let live = |topology: &Topology| {
        topology
            .streams(kind)
            .filter(|stream| stream.direction != Direction::Inactive)
            .count()
    };
    let has = live(call.topology());
    if has == 0 {
        let name = kind.as_str();
        tell(
            call,
            args,
            format_args!("the caller sends no {name}; everything else is echoed one to one"),
        );
        return Ask::Nothing;
    }
    let endpoint = call.endpoint();
    let (option, limit) = match kind {
        Kind::Audio => ("max_audio_streams", endpoint.max_audio_streams),
        Kind::Video => ("max_video_streams", endpoint.max_video_streams),
    };
    if count > limit {
        let text = format!(
            "limited to {limit} {} stream{} by {option}={limit} of endpoint '{}' in pjsip.conf; set \
             {option}={count} there to see all {count}",
            kind.as_str(),
            if limit == 1 { "" } else { "s" },
            endpoint.id,
        );
        tell(call, args, text);
    }
    let count = count.min(limit);
    if count == has {
        return Ask::Same;
    }
    Ask::For(
        call.topology()
            .clone()
            .with_count(kind, count, Direction::SendOnly),
    )
}

/// Something to know about a call that goes on as it should.
fn tell(call: &mut Channel, args: &Args<'_>, what: impl fmt::Display) {
    let text = format!("{}: {NAME}({}) {what}", args.place(), args.text());
    tracing::info!(channel = call.name(), "{text}");
    call.tell(StoryEvent::Remark { text });
}

#[cfg(test)]
mod tests {
    use codec::Kind;
    use switch::Args;

    use super::Wanted;

    #[test]
    fn arguments_are_a_number_and_a_type() {
        let parse = |text| Wanted::parse(&Args::new(text, "extensions.conf", 1));
        assert_eq!(parse(""), Ok(None));
        assert_eq!(
            parse("4"),
            Ok(Some(Wanted {
                count: 4,
                kind: Kind::Video
            }))
        );
        assert_eq!(
            parse("2, Audio"),
            Ok(Some(Wanted {
                count: 2,
                kind: Kind::Audio
            }))
        );
        assert!(parse("0").is_err());
        assert!(parse("-1").is_err());
        assert!(parse("x").is_err());
        assert!(parse("2,text").is_err());
    }
}
