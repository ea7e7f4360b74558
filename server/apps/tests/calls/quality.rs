//! What the dial plan learns of how a call went: `CHANNEL(rtp,…)`, `CHANNEL(rtcp,…)`, `RTPAUDIOQOS`.

use codec::{Kind, by_name};
use media::LegStats;
use rtc::{Quality, Series, StreamId, StreamStats};
use switch::Cause;

use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::World;

fn series(values: &[u64]) -> Series {
    let mut series = Series::default();
    values.iter().for_each(|value| series.add(*value));
    series
}

/// A phone whose reports came twice.
fn stats() -> LegStats {
    LegStats {
        pair: Some((
            "192.0.2.1:10000".parse().unwrap(),
            "192.0.2.9:4000".parse().unwrap(),
        )),
        streams: vec![StreamStats {
            stream: StreamId(0),
            kind: Kind::Audio,
            ssrc_in: Some(7),
            ssrc_out: Some(9),
            packets_in: 950,
            bytes_in: 152_000,
            packets_out: 1000,
            bytes_out: 160_000,
            lost: 50,
            jitter_us: 12_000,
            round_trip_us: Some(81_000),
            lost_out: 20,
            jitter_out_us: Some(4_000),
            quality: Quality {
                jitter_in_us: series(&[10_000, 14_000]),
                lost_in: series(&[20, 30]),
                jitter_out_us: series(&[4_000, 4_000]),
                lost_out: series(&[0, 20]),
                round_trip_us: series(&[79_000, 83_000]),
            },
            refused: 0,
            retransmissions_in: 0,
            retransmissions_out: 0,
            nacks_in: 0,
            nacks_out: 0,
            keyframe_requests_in: 0,
            keyframe_requests_out: 0,
        }],
        codecs: vec![by_name("ulaw").unwrap()],
        ..LegStats::default()
    }
}

fn global(world: &World, name: &str) -> String {
    world.switch.global(name).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_channel_tells_what_its_media_carried() {
    let items = "rtcp,rxcount rtcp,txcount,audio rtcp,rxploss rtcp,txploss rtcp,local_ssrc \
                 rtcp,remote_ssrc rtcp,rxjitter rtcp,txjitter rtcp,rtt rtcp,local_maxjitter \
                 rtcp,remote_minjitter rtcp,local_normdevrxploss rtcp,remote_stdevrxploss \
                 rtcp,maxrtt rtcp,normdevrtt rtp,src rtp,dest rtp,secure rtp,hold \
                 rtpqos,audio,local_lostpackets rtcp,rtt,video rtcp,nosuch rtp,nosuch";
    let reads = items
        .split_whitespace()
        .map(|item| format!("${{CHANNEL({item})}}"));
    let reads = reads.collect::<Vec<_>>().join(" ");
    let plan = format!(
        "exten => 1,1,Answer()\n same => n,Set(GLOBAL(told)={reads})\n \
         same => n,Set(GLOBAL(all)=${{CHANNEL(rtcp,all)}})\n \
         same => n,Set(GLOBAL(loss)=${{CHANNEL(rtcp,all_loss)}})\n"
    );
    let world = World::new(&plan).await;
    world.script.lock().unwrap().stats = stats();
    let call = world.dial("1").await;
    call.ends().await;
    assert_eq!(
        global(&world, "told"),
        "950 1000 50 20 9 7 0.012000 0.004000 0.081000 0.014000 0.004000 25.000000 10.000000 \
         0.083000 0.081000 192.0.2.1:10000 192.0.2.9:4000 0 0 50   "
    );
    let all = global(&world, "all");
    let head = "ssrc=9;themssrc=7;lp=50;rxjitter=0.012000;rxcount=950;txjitter=0.004000;\
                txcount=1000;rlp=20;rtt=0.081000;rxmes=";
    assert!(all.starts_with(head), "{all}");
    assert_eq!(
        global(&world, "loss"),
        "minrxlost=20.000000;maxrxlost=30.000000;avgrxlost=25.000000;stdevrxlost=5.000000;\
         reported_minlost=0.000000;reported_maxlost=20.000000;reported_avglost=10.000000;\
         reported_stdevlost=10.000000;"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_call_says_how_it_went_and_how_for_the_other_party() {
    let plan = "exten => 100,1,Dial(TEST/1)\n\
                exten => h,1,Set(GLOBAL(own)=${RTPAUDIOQOS})\n \
                same => n,Set(GLOBAL(rtt)=${RTPAUDIOQOSRTT})\n \
                same => n,Set(GLOBAL(theirs)=${RTPAUDIOQOSBRIDGED})\n \
                same => n,Set(GLOBAL(jitter)=${RTPAUDIOQOSJITTERBRIDGED})\n \
                same => n,Set(GLOBAL(still)=${CHANNEL(rtcp,rxcount)})\n \
                same => n,Set(GLOBAL(video)=${RTPVIDEOQOS})\n";
    let reach = Reach::new(plan).await;
    reach.world.script.lock().unwrap().stats = stats();
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    call.ends().await;
    let told = |name: &str| global(&reach.world, name);
    assert!(
        told("own").starts_with("ssrc=9;themssrc=7;lp=50;"),
        "{}",
        told("own")
    );
    let rtt = "minrtt=0.079000;maxrtt=0.083000;avgrtt=0.081000;stdevrtt=0.002000;";
    assert_eq!(told("rtt"), rtt);
    assert_eq!(
        told("theirs"),
        told("own"),
        "all media here carried the same"
    );
    assert!(told("jitter").starts_with("minrxjitter=0.010000;maxrxjitter=0.014000;"));
    assert_eq!(
        (told("still").as_str(), told("video").as_str()),
        ("950", "")
    );
}
