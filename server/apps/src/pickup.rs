//! `Pickup` and `PickupChan`.

use switch::{AppResult, Application, Args, Channel, pickup};

use crate::arguments::warn;

/// Takes a call that rings somewhere else.
pub(crate) static PICKUP: Application = Application {
    name: "Pickup",
    synopsis: "Take a call that rings somewhere else",
    doc: include_str!("pickup.md"),
    run: |call, args| Box::pin(by_extension(call, args)),
};

/// Takes the call of a channel that rings.
pub(crate) static PICKUP_CHAN: Application = Application {
    name: "PickupChan",
    synopsis: "Take the call of a channel that rings",
    doc: include_str!("pickup_chan.md"),
    run: |call, args| Box::pin(by_name(call, args)),
};

/// Where `Pickup` looks for the mark of a channel instead of its extension.
const MARK: &str = "PICKUPMARK";

async fn by_extension(call: &mut Channel, args: Args<'_>) -> AppResult {
    let text = args.text().trim();
    let place = match text {
        "" => pickup::by_group(call),
        text => text
            .split('&')
            .map(str::trim)
            .find_map(|target| match target.rsplit_once('@') {
                Some((mark, MARK)) => pickup::by_mark(call, mark),
                Some((exten, context)) => pickup::by_extension(call, exten, context),
                None => pickup::by_extension(call, target, &call.at.context),
            }),
    };
    match place {
        Some(place) => pickup::take(call, place).await,
        None => {
            let rings = pickup::ringing(call);
            let text = format!("no such call rings, the call goes on; {rings}");
            warn(call, "Pickup", &args, &text);
            Ok(())
        }
    }
}

async fn by_name(call: &mut Channel, args: Args<'_>) -> AppResult {
    let names = args.at(0).unwrap_or_default().split('&').map(str::trim);
    let mut names = names.filter(|name| !name.is_empty());
    match names.find_map(|name| pickup::by_name(call, name)) {
        Some(place) => pickup::take(call, place).await,
        None => {
            let rings = pickup::ringing(call);
            let text = format!("no such channel rings, the call goes on; {rings}");
            warn(call, "PickupChan", &args, &text);
            Ok(())
        }
    }
}
