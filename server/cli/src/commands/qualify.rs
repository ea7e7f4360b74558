//! `pjsip qualify`, `pjsip show channels`.

use crate::command::{Command, Outcome, Takes};
use crate::commands::live::{self, Line};
use crate::exchange::Exchange;

pub(crate) static QUALIFY: Command = Command {
    path: "pjsip qualify",
    takes: Takes::Endpoint,
    synopsis: "Send an OPTIONS request to a PJSIP endpoint",
    doc: "Asks all contacts of an endpoint whether they are there. `pjsip show contacts` shows how\n\
          they answered.",
    run: |exchange, words| Box::pin(qualify(exchange, &words[0])),
};

pub(crate) static SHOW_CHANNELS: Command = Command {
    path: "pjsip show channels",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Channels",
    doc: "Lists the channels of SIP with their state, their age, and the extension they dialled.",
    run: |exchange, _| Box::pin(async { Outcome::Done(channels(&live::channels(exchange))) }),
};

async fn qualify(exchange: &Exchange, endpoint: &str) -> Outcome {
    match exchange.parts.signal.qualify(endpoint).await {
        Ok(Some(aors)) if aors.is_empty() => {
            Outcome::Failed(format!("No AoRs configured for endpoint '{endpoint}'\n"))
        }
        Ok(Some(aors)) => {
            let line = |aor: &String| format!("Qualifying AOR '{aor}' on endpoint '{endpoint}'\n");
            Outcome::Done(aors.iter().map(line).collect())
        }
        Ok(None) => Outcome::Missing(format!("Unable to retrieve endpoint {endpoint}\n")),
        Err(error) => Outcome::Failed(format!("The database cannot be asked: {error}\n")),
    }
}

const HEAD: &str =
    "  Channel:  <ChannelId........................................>  <State.....>  <Time.....>
      Exten: <DialedExten.............>  CLCID: <ConnectedLineCID.......>
==========================================================================================

";

fn channels(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "No objects found.\n\n".to_owned();
    }
    let rows = lines.iter().map(|line| {
        let name = format!("{}/{}", line.name, line.application().0);
        let (state, clock, exten) = (line.state().0, line.clock(), &line.info.at.exten);
        format!(
            "  Channel: {name:<52}  {state:<12}  {clock:<11}\n      \
             Exten: {exten:<26}  CLCID: {}\n\n",
            line.info.connected
        )
    });
    let rows: String = rows.collect();
    format!("{HEAD}{rows}\nObjects found: {}\n\n", lines.len())
}

#[cfg(test)]
mod tests {
    use super::channels;
    use crate::commands::channel::tests::line;

    /// The rows stand as Asterisk 23 printed them of the same channel.
    #[test]
    fn channels_stand_in_asterisks_columns() {
        let text = channels(&[line()]);
        assert!(text.starts_with("  Channel:  <ChannelId"), "{text}");
        assert_eq!(
            text.split_once("====\n\n").unwrap().1,
            "  Channel: PJSIP/WS_PHONE_A-00000004/StreamEcho                  Up            00:00:07   
      Exten: 246                         CLCID: \"\" <>


Objects found: 1

"
        );
    }
}
