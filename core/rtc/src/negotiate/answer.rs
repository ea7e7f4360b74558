//! The peer offers, we answer.

use codec::Kind;
use sdp::{Media, Sdp, Setup};

use super::canonical::{self, LiveSection, Section};
use super::decide::{self, Verdict};
use super::format::Described;
use super::ids::Ids;
use super::note::{LineFault, Note};
use super::render::{self, Bounds};
use super::table::{Line, LineState, Table, bundle_of};
use super::transport::Transport;
use super::{Negotiator, parse_engine};
use crate::Refused;
use crate::topology::{Payload, Wishes};

/// The peer's offer while the engine makes its answer.
#[derive(Debug)]
pub(super) struct Answering {
    table: Table,
    /// What was offered in each line in use.
    offered: Vec<Vec<Described>>,
    /// Whether the lines in use are in a BUNDLE group.
    bundle: bool,
    /// Whether the offer allows one-byte and two-byte header extensions side by side.
    mixed: bool,
}

impl Answering {
    /// Whether ICE goes on under the same credentials.
    pub(super) fn continues(&self, before: &Table) -> bool {
        match (&self.table.transport, &before.transport) {
            (Some(now), Some(before)) => now.continues(before),
            (None, _) | (_, None) => false,
        }
    }
}

pub(super) fn accept_offer(
    own: &mut Negotiator,
    offer: &Sdp,
) -> Result<(Answering, String), Refused> {
    decide::check_shape(&own.table, offer)?;
    let mut table = own.table.clone();
    let (verdicts, mut notes) = decide::decide(offer, &mut table, &own.policy);
    let transport = transport(own, offer, &verdicts)?;
    let tagged = verdicts
        .iter()
        .position(|verdict| matches!(verdict, Verdict::Live(_)));
    let bundle = bundle_of(offer, tagged.and_then(|mline| offer.media[mline].mid())).is_some();
    let mut sections: Vec<(usize, LiveSection)> = Vec::new();
    let mut offered = Vec::new();
    for (mline, verdict) in verdicts.into_iter().enumerate() {
        let media = &offer.media[mline];
        if mline == table.lines.len() {
            table.lines.push(new_line(media));
        }
        match verdict {
            Verdict::Live(mut live) => {
                if table.lines[mline].slot().is_none() {
                    table.lines[mline].ceiling = table.ceiling(live.kind, &own.policy);
                }
                let renamed = open(&mut table, mline, media, live.kind, &mut own.ids);
                if renamed && let Some(mid) = media.mid() {
                    notes.push(Note::MidRenamed {
                        mline,
                        mid: mid.into(),
                    });
                }
                live.extensions = canonical::extensions(media, renamed);
                table.lines[mline].ssrcs = live.ssrc.into_iter().collect();
                table.lines[mline].wishes = super::format::wishes(offer, media, &live.formats);
                offered.push(live.formats.clone());
                sections.push((mline, live));
            }
            Verdict::Closed | Verdict::Refused(_) => {
                table.lines[mline].close();
                offered.push(Vec::new());
            }
        }
        describe(&mut table.lines[mline], media);
    }
    if table.slots.is_empty() {
        return Err(Refused::NoMedia);
    }
    let text = canonical::write(&transport, &engine_sections(&table, &mut sections));
    table.transport = Some(transport);
    own.notes.append(&mut notes);
    let answering = Answering {
        table,
        offered,
        bundle,
        mixed: offer.attribute("extmap-allow-mixed").is_some(),
    };
    Ok((answering, text))
}

pub(super) fn finish_answer(
    own: &mut Negotiator,
    answering: Answering,
    text: &str,
) -> Result<Sdp, Refused> {
    let engine = parse_engine(text)?;
    let mut table = answering.table;
    if engine.media.len() != table.slots.len() {
        return Err(Refused::Engine(
            "its answer has another number of lines".into(),
        ));
    }
    let mut sections = Vec::new();
    let mut fault = None;
    for (mline, line) in table.lines.iter_mut().enumerate() {
        let rendered = line.slot().map(|slot| {
            let offered = &answering.offered[mline];
            render::live(
                &engine.media[slot],
                line,
                Bounds::Offer(offered),
                &own.policy,
            )
            .ok_or(offered)
        });
        match rendered {
            None => sections.push(render::refused(line)),
            Some(Ok(rendered)) => {
                line.direction = rendered.direction;
                line.payloads = rendered.payloads;
                sections.push(rendered.media);
            }
            Some(Err(offered)) => {
                let no_codec = no_common_codec(own, line, offered);
                own.notes.push(Note::LineRefused {
                    mline,
                    media: line.kind.as_str().into(),
                    fault: no_codec.clone(),
                });
                fault = Some((line.av_kind(), no_codec));
                line.close();
                sections.push(render::refused(line));
            }
        }
    }
    own.role = engine
        .media
        .iter()
        .find_map(|media| engine.setup(media))
        .or(own.role);
    render::add_candidates(&engine, &mut sections);
    let nothing_left = table.topology().is_empty();
    // The engine has taken the offer in any case.
    own.commit(table);
    if let (true, Some((Some(kind), LineFault::NoCommonCodec { offered, allowed }))) =
        (nothing_left, fault)
    {
        return Err(Refused::NoCommonCodec {
            kind,
            offered,
            allowed,
        });
    }
    let session = render::session(&engine, &sections, answering.bundle, answering.mixed);
    Ok(own.ids.seal(session, sections))
}

/// The transport of the offer, checked against what was agreed before.
fn transport(own: &Negotiator, offer: &Sdp, verdicts: &[Verdict]) -> Result<Transport, Refused> {
    let live: Vec<&Media> = verdicts
        .iter()
        .zip(&offer.media)
        .filter(|(verdict, _)| matches!(verdict, Verdict::Live(_)))
        .map(|(_, media)| media)
        .collect();
    let Some(tagged) = live.first() else {
        return nothing_live(own, offer, verdicts);
    };
    let transport = Transport::read(offer, tagged, &live, own.table.transport.as_ref())?;
    // RFC 8842 §5.5: the role agreed before stands as long as the association does.
    match (own.role, transport.setup()) {
        (Some(Setup::Active), Some(Setup::Active))
        | (Some(Setup::Passive), Some(Setup::Passive)) => Err(Refused::SetupChanged),
        _ => Ok(transport),
    }
}

/// An offer without a line in use is fine in a call, where the peer closed the last one, and
/// useless at its start.
fn nothing_live(own: &Negotiator, offer: &Sdp, verdicts: &[Verdict]) -> Result<Transport, Refused> {
    for (verdict, media) in verdicts.iter().zip(&offer.media) {
        if let (Verdict::Refused(LineFault::NoCommonCodec { offered, allowed }), Some(kind)) =
            (verdict, super::table::av_kind(&media.kind))
        {
            return Err(Refused::NoCommonCodec {
                kind,
                offered: offered.clone(),
                allowed: allowed.clone(),
            });
        }
    }
    let closed = verdicts
        .iter()
        .all(|verdict| matches!(verdict, Verdict::Closed));
    own.table
        .transport
        .clone()
        .filter(|_| closed)
        .ok_or(Refused::NoMedia)
}

/// Brings a line into use under a name that the engine can carry; says whether it is another one
/// than the peer's.
fn open(table: &mut Table, mline: usize, media: &Media, kind: Kind, ids: &mut Ids) -> bool {
    if let LineState::Live { slot } = table.lines[mline].state {
        return media
            .mid()
            .is_some_and(|mid| *table.slots[slot].mid != *mid);
    }
    let own = media.mid().filter(|mid| canonical::keeps_mid(mid));
    let own = own.filter(|mid| !table.slots.iter().any(|slot| *slot.mid == **mid));
    let mid: Box<str> = own.map_or_else(|| free_mid(table, mline), Into::into);
    let main_is_free = !table.lines.iter().any(|line| {
        line.slot().is_some() && line.av_kind() == Some(kind) && line.stream_id == ids.main_stream
    });
    let line = &mut table.lines[mline];
    line.stream_id = if main_is_free {
        ids.main_stream.clone()
    } else {
        ids.token()
    };
    line.track_id = ids.token();
    table.open(mline, kind, &mid);
    own.is_none()
}

/// A name that no line of the engine has.
fn free_mid(table: &Table, mline: usize) -> Box<str> {
    let mut number = mline;
    loop {
        let mid = format!("m{number}");
        if !table.slots.iter().any(|slot| *slot.mid == *mid) {
            return mid.into();
        }
        number += 1;
    }
}

/// The engine's lines in its own order.
pub(super) fn engine_sections<'a>(
    table: &'a Table,
    live: &mut Vec<(usize, LiveSection)>,
) -> Vec<(&'a str, Section)> {
    let slots = table.slots.iter().enumerate();
    slots
        .map(|(slot, own)| {
            let position = live
                .iter()
                .position(|(mline, _)| table.lines[*mline].slot() == Some(slot));
            let section = match position {
                Some(position) => Section::Live(live.swap_remove(position).1),
                None => Section::Stopped(own.kind),
            };
            (&*own.mid, section)
        })
        .collect()
}

fn new_line(media: &Media) -> Line {
    Line {
        kind: media.kind.clone(),
        profile: media.profile.clone(),
        formats: media.formats.clone(),
        mid: None,
        state: LineState::Refused,
        direction: sdp::Direction::Inactive,
        ceiling: sdp::Direction::SendRecv,
        stream_id: Box::default(),
        track_id: Box::default(),
        payloads: Vec::<Payload>::new(),
        ssrcs: Vec::new(),
        wishes: Wishes::default(),
    }
}

/// Takes over how the peer writes the line.
fn describe(line: &mut Line, media: &Media) {
    line.kind = media.kind.clone();
    line.profile.clone_from(&media.profile);
    line.formats.clone_from(&media.formats);
    line.mid = media.mid().map(Into::into);
}

fn no_common_codec(own: &Negotiator, line: &Line, offered: &[Described]) -> LineFault {
    let names: Vec<String> = offered
        .iter()
        .map(|described| super::format::rtpmap(described.payload.format))
        .collect();
    LineFault::NoCommonCodec {
        offered: names.join(", ").into(),
        allowed: decide::allowed_names(&own.policy, line.av_kind().unwrap_or(Kind::Audio)),
    }
}
