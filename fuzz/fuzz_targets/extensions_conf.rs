//! Any text makes a plan, and any plan can be asked for anything.

#![no_main]

use dialplan::{Plan, Position};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (plan, diagnostics) = Plan::parse("extensions.conf", text);
    for diagnostic in &diagnostics {
        assert!(!diagnostic.to_string().is_empty());
    }
    let dialled = text.get(..text.floor_char_boundary(4)).unwrap_or_default();
    for (context, extensions) in plan.contexts() {
        for exten in ["246", dialled] {
            let found = plan.find(context, exten, Some("100"));
            let at = Position {
                context: context.to_owned(),
                exten: exten.to_owned(),
                priority: 1,
            };
            assert_eq!(found.is_some(), plan.step(&at, Some("100")).is_some());
            plan.label(context, exten, "start", None);
            plan.could_be_longer(context, exten, None);
        }
        let searched: Vec<_> = extensions.iter().collect();
        for pair in searched.windows(2) {
            if let (Some(first), Some(second)) = (&pair[0].pattern, &pair[1].pattern) {
                assert!(first.particular(second).is_le());
            }
        }
    }
});
