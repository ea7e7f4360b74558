//! What is said of a dial plan while it runs: steps with the number of their call, and what is wrong with its functions.

use std::sync::{Arc, Mutex};

use switch::call_number;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::world::World;

/// Keeps the steps that are logged, each behind the number of its call.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<Vec<(String, String)>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Steps {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        if message.0.starts_with("Executing ") {
            let number = call_number::current().map(|number| number.to_string());
            let mut steps = self.0.lock().unwrap();
            steps.push((number.unwrap_or_default(), message.0));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn the_steps_of_all_that_a_call_calls_have_its_number() {
    let steps = Steps::default();
    let _guard = tracing::subscriber::set_default(steps.clone());
    let world = World::new(
        "exten => 100,1,Dial(Local/200@test)\nexten => 200,1,NoOp(a \"b\")\nexten => 300,1,NoOp()\n",
    )
    .await;
    world.dial("100").await;
    world.dial("300").await;
    let steps = steps.0.lock().unwrap().clone();
    let seen: Vec<(&str, &str)> = steps
        .iter()
        .map(|(number, step)| (number.as_str(), step.as_str()))
        .collect();
    let expected = [
        (
            "C-00000001",
            "Executing [100@test:1] Dial(\"PJSIP/alice-00000000\", \"Local/200@test\") in new stack",
        ),
        (
            "C-00000001",
            "Executing [200@test:1] NoOp(\"Local/200@test-00000001;2\", \"a \"b\"\") in new stack",
        ),
        (
            "C-00000002",
            "Executing [300@test:1] NoOp(\"PJSIP/alice-00000003\", \"\") in new stack",
        ),
    ];
    assert_eq!(seen, expected);
}

/// What one line of a dial plan is remarked on.
async fn remarks(step: &str) -> Vec<String> {
    let world = World::new(&format!("exten => 1,1,NoOp()\n same => n,{step}\n")).await;
    world.dial("1").await;
    world.remarks()
}

#[tokio::test(start_paused = true)]
async fn what_a_function_does_not_know_is_told_with_its_place_and_what_may_be_meant() {
    for (step, expected) in [
        (
            "NoOp(${CALLERID(nmu)})",
            "CALLERID has no item `nmu`; did you mean `num`?",
        ),
        ("NoOp(${CHANNEL(exteen)})", "did you mean `exten`?"),
        ("NoOp(${CONNECTEDLINE(names)})", "did you mean `name`?"),
        ("NoOp(${REDIRECTING(from-nub)})", "did you mean `from-num`?"),
        ("NoOp(${TIMEOUT(zzz)})", "TIMEOUT has no item `zzz`"),
        (
            "Set(TIMEOUT(absolut)=3)",
            "TIMEOUT(absolut) is taken for TIMEOUT(absolute)",
        ),
        ("NoOp(${FEATUREMAP(blindxfr)})", "did you mean `blindxfer`?"),
        ("NoOp(${MESSAGE(boddy)})", "did you mean `body`?"),
        (
            "NoOp(${CALERID(num)})",
            "function CALERID is not known; did you mean CALLERID?",
        ),
        (
            "Set(CALLERID(nmu)=1)",
            "CALLERID has no item `nmu`; did you mean `num`?",
        ),
        (
            "Set(DEVICE_STATE(Custom:night)=)",
            "that is no value for DEVICE_STATE(Custom:night)",
        ),
        ("Set(LEN(x)=1)", "LEN can only be read"),
        ("NoOp(${MATH(x)})", "MATH(x): write it as MATH(1+2,int)"),
    ] {
        let remarks = remarks(step).await;
        let told: Vec<&String> = remarks.iter().filter(|it| it.contains(expected)).collect();
        assert_eq!(told.len(), 1, "{step}: {remarks:?}");
        assert!(told[0].starts_with("extensions.conf:"), "{step}: {told:?}");
    }
}

/// The manual lists no item that is not there.
#[tokio::test(start_paused = true)]
async fn every_item_of_the_manual_is_known() {
    let mut count = 0;
    for doc in apps::function_docs() {
        let name = doc.split('(').next().unwrap();
        if ![
            "CALLERID",
            "CONNECTEDLINE",
            "CHANNEL",
            "FEATURE",
            "FEATUREMAP",
            "TIMEOUT",
        ]
        .contains(&name)
        {
            continue;
        }
        let function = apps::FUNCTIONS.iter().find(|own| own.name == name).unwrap();
        for point in doc.split("\n- ").skip(1) {
            let names = point.split(": ").next().unwrap();
            for item in names.split('`').skip(1).step_by(2) {
                let item = item.replace('…', "num");
                // What has no media yet tells nothing of it, and nobody else is there.
                let is_set = item.starts_with("hangup_handler_");
                if !is_set && !["rtp", "rtcp", "rtpqos", "peer"].contains(&item.as_str()) {
                    let read = read(function, &item).await;
                    assert!(read, "{name}({item})");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 60, "{count}");
}

/// Whether a function tells anything of this item.
async fn read(function: &'static switch::Function, item: &str) -> bool {
    type Asked = Mutex<Option<(&'static switch::Function, String, bool)>>;
    static ASKED: Asked = Mutex::new(None);
    static ASK: switch::Application = switch::Application {
        name: "Ask",
        synopsis: "Asks",
        doc: "# Ask()",
        run: |call, _| {
            if let Some((function, item, is_told)) = &mut *ASKED.lock().unwrap() {
                *is_told = (function.read)(call, item).is_some();
            }
            Box::pin(async { Ok(()) })
        },
    };
    *ASKED.lock().unwrap() = Some((function, item.to_owned(), false));
    static APPLICATIONS: [&switch::Application; 1] = [&ASK];
    let world = World::with("exten => 1,1,Ask()\n", &APPLICATIONS).await;
    world.dial("1").await;
    ASKED.lock().unwrap().take().unwrap().2
}
