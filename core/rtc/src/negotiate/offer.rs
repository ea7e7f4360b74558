//! We offer, the peer answers.

use codec::{Codec, Kind};
use sdp::{Direction, Media, MediaKind, Sdp, Setup};

use super::answer::engine_sections;
use super::canonical::{self, LiveSection};
use super::decide::{has_codec, is_closed};
use super::note::Note;
use super::render::{self, Bounds};
use super::table::{Line, LineState, Table, bundle_of};
use super::transport::Transport;
use super::{Change, Negotiator, format, parse_engine};
use crate::Refused;
use crate::topology::{Payload, Stream, Topology, Wishes};

/// Our offer while the engine makes it.
#[derive(Debug)]
pub(super) struct Planned {
    table: Table,
    /// The new lines in the order the engine gets them, without a slot yet.
    added: Vec<Line>,
    /// The codecs of sound it is about, where it is about those.
    codecs: Option<Vec<&'static Codec>>,
    pub(super) undo: Vec<Change>,
}

/// Our offer while the peer has it.
#[derive(Debug)]
pub(super) struct Offered {
    table: Table,
    /// The codecs of sound it is about, where it is about those.
    codecs: Option<Vec<&'static Codec>>,
    pub(super) undo: Vec<Change>,
}

pub(super) fn plan_offer(own: &mut Negotiator, want: &Topology) -> (Planned, Vec<Change>) {
    let mut planned = Planned {
        table: own.table.clone(),
        added: Vec::new(),
        codecs: None,
        undo: Vec::new(),
    };
    let mut changes = Vec::new();
    for stream in want.iter() {
        match &stream.mid {
            Some(mid) => changes.extend(redirect(&mut planned, mid, stream.direction)),
            None => {
                let line = added_line(own, &planned, stream.kind, stream.direction);
                let Some(line) = line else {
                    continue;
                };
                changes.push(Change::Add {
                    kind: stream.kind,
                    direction: stream.direction,
                    stream_id: line.stream_id.clone(),
                    track_id: line.track_id.clone(),
                });
                planned.added.push(line);
            }
        }
    }
    for kind in [Kind::Audio, Kind::Video] {
        let wanted = want
            .streams(kind)
            .filter(|stream| stream.mid.is_none())
            .count();
        let added = planned
            .added
            .iter()
            .filter(|line| line.av_kind() == Some(kind))
            .count();
        if added < wanted {
            own.notes.push(Note::StreamsDropped {
                kind,
                dropped: wanted - added,
                max: own.policy.max_streams(kind),
            });
        }
    }
    (planned, changes)
}

pub(super) fn plan_recode(own: &Negotiator, codecs: &[&'static Codec]) -> (Planned, Vec<Change>) {
    let sound = own.agreed.streams(Kind::Audio);
    let differs = |stream: &&Stream| stream.codecs().ne(codecs.iter().copied());
    let changes = sound.filter(differs).filter_map(|stream| {
        let mid = stream.mid.clone()?;
        Some(Change::Renew { mid })
    });
    let changes = changes.collect();
    let planned = Planned {
        table: own.table.clone(),
        added: Vec::new(),
        codecs: Some(codecs.to_vec()),
        undo: Vec::new(),
    };
    (planned, changes)
}

pub(super) fn finish_offer(
    own: &mut Negotiator,
    planned: &Planned,
    text: &str,
) -> Result<(Offered, Sdp), Refused> {
    let engine = parse_engine(text)?;
    let mut table = planned.table.clone();
    let added = planned.added.clone();
    let first_new = table.slots.len();
    if engine.media.len() != first_new + added.len() {
        return Err(Refused::Engine(
            "its offer has another number of lines".into(),
        ));
    }
    for (mut line, media) in added.into_iter().zip(&engine.media[first_new..]) {
        let mid = media
            .mid()
            .ok_or_else(|| Refused::Engine("a line without mid".into()))?;
        if table
            .lines
            .iter()
            .any(|other| other.mid.as_deref() == Some(mid))
        {
            return Err(Refused::Engine("a mid that the peer uses already".into()));
        }
        let kind = line.av_kind().expect("we add audio and video only");
        line.mid = Some(mid.into());
        table.lines.push(line);
        table.open(table.lines.len() - 1, kind, mid);
    }
    let mut sections = Vec::new();
    for line in &mut table.lines {
        let Some(slot) = line.slot() else {
            sections.push(render::refused(line));
            continue;
        };
        let agreed = if line.payloads.is_empty() {
            table_payloads(&own.table, line)
        } else {
            Some(&*line.payloads)
        };
        let bounds = match &planned.codecs {
            Some(codecs) if line.av_kind() == Some(Kind::Audio) => Bounds::Codecs(codecs),
            Some(_) | None => agreed.map_or(Bounds::Policy, Bounds::Agreed),
        };
        let rendered = render::live(&engine.media[slot], line, bounds, &own.policy)
            .ok_or_else(|| Refused::Engine("a line without codec".into()))?;
        line.direction = rendered.direction;
        line.formats.clone_from(&rendered.media.formats);
        sections.push(rendered.media);
    }
    render::add_candidates(&engine, &mut sections);
    let session = render::session(&engine, &sections, true, true);
    let sdp = own.ids.seal(session, sections);
    let undo = planned.undo.clone();
    let codecs = planned.codecs.clone();
    let offered = Offered {
        table,
        codecs,
        undo,
    };
    Ok((offered, sdp))
}

pub(super) fn accept_answer(
    own: &mut Negotiator,
    offered: &Offered,
    answer: &Sdp,
) -> Result<String, Refused> {
    let mut table = offered.table.clone();
    if answer.media.len() != table.lines.len() {
        return Err(Refused::LineCount {
            offered: table.lines.len(),
            answered: answer.media.len(),
        });
    }
    let mut notes = Vec::new();
    let mut sections: Vec<(usize, LiveSection)> = Vec::new();
    let mut leader: Option<usize> = None;
    for (mline, media) in answer.media.iter().enumerate() {
        if table.lines[mline].slot().is_none() {
            continue;
        }
        if table.lines[mline].kind != media.kind {
            return Err(Refused::LineChanged { mline });
        }
        let bundled = leader.is_none_or(|leader| shares_bundle(answer, leader, media));
        let codecs = offered.codecs.as_deref();
        let live = answered(own, &mut table, mline, media, answer, codecs).filter(|_| bundled);
        match live {
            Some(live) => {
                leader = leader.or(Some(mline));
                sections.push((mline, live));
            }
            None => {
                table.lines[mline].close();
                notes.push(Note::PeerRefused { mline });
            }
        }
    }
    let transport = answer_transport(&table, &sections, answer)?;
    let text = canonical::write(&transport, &engine_sections(&table, &mut sections));
    own.role = match transport.setup() {
        Some(Setup::Active) => own.role.or(Some(Setup::Passive)),
        Some(Setup::Passive) => own.role.or(Some(Setup::Active)),
        Some(Setup::ActPass | Setup::HoldConn) | None => own.role,
    };
    table.transport = Some(transport);
    own.notes.append(&mut notes);
    own.commit(table);
    Ok(text)
}

/// What the peer's answer makes of one of our lines; `None` where it is refused.
fn answered(
    own: &Negotiator,
    table: &mut Table,
    mline: usize,
    media: &Media,
    answer: &Sdp,
    codecs: Option<&[&'static Codec]>,
) -> Option<LiveSection> {
    let kind = table.lines[mline].av_kind()?;
    if is_closed(answer, media) {
        return None;
    }
    let mut formats = table.payload_types.claim(format::read(
        media,
        kind,
        &own.policy,
        own.policy.reading.answers,
    ));
    if let Some(codecs) = codecs.filter(|_| kind == Kind::Audio) {
        // RFC 3264 §6.1: what was not offered cannot be answered.
        let answered = formats.iter().filter_map(|own| own.payload.format.codec());
        let both: Vec<_> = answered.filter(|codec| codecs.contains(codec)).collect();
        format::keep(&mut formats, &both);
    }
    if !has_codec(&formats) {
        return None;
    }
    let slot = table.lines[mline].slot()?;
    let renamed = table.lines[mline]
        .mid
        .as_deref()
        .is_some_and(|mid| *table.slots[slot].mid != *mid);
    let line = &mut table.lines[mline];
    // RFC 3264 §6.1 binds the answer to the offer; sipML5 answers `sendrecv` to `sendonly`.
    let direction = answer.direction(media).intersect(line.direction.reversed());
    let ssrc = canonical::sources(media);
    line.direction = direction.reversed();
    line.payloads = formats.iter().map(|described| described.payload).collect();
    line.ssrcs = ssrc.into_iter().collect();
    line.wishes = format::wishes(answer, media, &formats);
    Some(LiveSection {
        kind,
        direction,
        formats,
        extensions: canonical::extensions(media, renamed),
        ssrc,
    })
}

/// Whether a section of the answer is in the bundle of the leading one. An answer without BUNDLE
/// means a transport for each section, of which there is only one here.
fn shares_bundle(answer: &Sdp, leader: usize, media: &Media) -> bool {
    let bundle = bundle_of(answer, answer.media[leader].mid());
    bundle.is_some_and(|mids| media.mid().is_some_and(|mid| mids.contains(&mid)))
}

fn answer_transport(
    table: &Table,
    sections: &[(usize, LiveSection)],
    answer: &Sdp,
) -> Result<Transport, Refused> {
    let live: Vec<&Media> = sections
        .iter()
        .map(|(mline, _)| &answer.media[*mline])
        .collect();
    let before = table.transport.as_ref();
    let Some(tagged) = live.first() else {
        return before.cloned().ok_or(Refused::NoMedia);
    };
    let transport = Transport::read(answer, tagged, &live, before)?;
    match before {
        Some(before) if !transport.continues(before) => Err(Refused::IceChanged),
        Some(_) | None => Ok(transport),
    }
}

/// What the call agreed on for the kind of media of a new line.
fn table_payloads<'a>(agreed: &'a Table, line: &Line) -> Option<&'a [Payload]> {
    let same = |own: &&Line| own.slot().is_some() && own.kind == line.kind;
    agreed.lines.iter().find(same).map(|own| &*own.payloads)
}

/// A change of direction for an existing line, where it is one.
fn redirect(planned: &mut Planned, mid: &str, direction: Direction) -> Option<Change> {
    let slot = planned
        .table
        .slots
        .iter()
        .position(|slot| *slot.mid == *mid)?;
    let mline = planned.table.line_of(slot)?;
    let line = &mut planned.table.lines[mline];
    if line.direction == direction {
        return None;
    }
    line.ceiling = direction;
    let change = |direction| Change::SetDirection {
        mid: mid.into(),
        direction,
    };
    planned.undo.push(change(line.direction));
    Some(change(direction))
}

/// A new line, where the policy has room for one more of its kind.
fn added_line(
    own: &mut Negotiator,
    planned: &Planned,
    kind: Kind,
    direction: Direction,
) -> Option<Line> {
    let added = planned
        .added
        .iter()
        .filter(|line| line.av_kind() == Some(kind))
        .count();
    let streams = planned.table.live(kind) + added;
    if streams >= own.policy.max_streams(kind) {
        return None;
    }
    let stream_id = if streams == 0 {
        own.ids.main_stream.clone()
    } else {
        own.ids.token()
    };
    Some(Line {
        kind: MediaKind::from_name(kind.as_str()),
        profile: "UDP/TLS/RTP/SAVPF".into(),
        formats: Vec::new(),
        mid: None,
        state: LineState::Refused,
        direction,
        ceiling: Direction::SendRecv,
        stream_id,
        track_id: own.ids.token(),
        payloads: Vec::new(),
        ssrcs: Vec::new(),
        wishes: Wishes::default(),
    })
}
