//! A running exchange asked through its socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cli::{
    Answer, Console, Exchange, LINE_BYTES_MAX, Log, LogOptions, Parts, Places, SOCKET_NAME,
    Unanswered,
};
use expect_test::expect;
use media::AllocateError;
use signal::Signal;
use store::Store;
use switch::{LegRequest, MediaCounts, MediaLeg, MediaPlane, Switch};

const PJSIP: &str = "\
[alice]\ntype=endpoint\nauth=alice\naors=alice\ncontext=sets\nallow=opus\nwebrtc=yes\n\
[alice]\ntype=auth\nusername=alice\npassword=hunter2\n\
[alice]\ntype=aor\nmax_contacts=5\n";
const PLAN: &str = "[sets]\nexten => 246,1,Answer()\n";
const FILES: [(&str, &str); 2] = [("pjsip.conf", PJSIP), ("extensions.conf", PLAN)];
/// What the files say later.
const LATER: [(&str, &str); 2] = [
    ("pjsip.conf", PJSIP),
    ("extensions.conf", "[sets]\nexten => 246,1,Hangup()\n"),
];

struct World {
    folder: PathBuf,
    console: Console,
    log: Log,
    store: Store,
}

impl World {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = config::load(&FILES.as_slice()).0.unwrap();
        let switch = Switch::new(parts(config, NoMedia).await);
        let store = switch.store().clone();
        let options = signal::Options::new(Vec::new(), [0; 32]);
        let signal = Signal::start(options, switch.clone());
        let log = Log::start(LogOptions {
            filter: None,
            sip_trace: false,
            folder: folder.join("log"),
        })
        .unwrap();
        let exchange = Arc::new(Exchange::new(Parts {
            switch,
            signal: Arc::new(signal),
            server: Arc::new(OnceLock::new()),
            read: Arc::new(|| config::load(&LATER.as_slice())),
            pieces: Vec::new(),
            log: log.clone(),
            places: Places::default(),
            product: "Sidetone/0.1.0",
            function_doc: apps::function_doc,
        }));
        let console = Console::listen(&folder.join(SOCKET_NAME), exchange).unwrap();
        Self {
            folder,
            console,
            log,
            store,
        }
    }

    async fn ask(&self, line: &str) -> Answer {
        let (folder, line) = (self.folder.clone(), line.to_owned());
        let asked = tokio::task::spawn_blocking(move || cli::ask(&folder, &line));
        asked.await.unwrap().unwrap()
    }

    async fn end(self) {
        self.console.shutdown(Duration::from_secs(1)).await;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

async fn parts(config: config::Config, media: NoMedia) -> switch::Parts {
    switch::Parts {
        store: Store::open(Arc::new(config), None).await.unwrap(),
        media: Arc::new(media),
        applications: apps::APPLICATIONS,
        functions: apps::FUNCTIONS,
        seed: [0; 32],
    }
}

/// No call of these tests is answered.
struct NoMedia;

impl MediaPlane for NoMedia {
    fn allocate(&self, _: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        Err(AllocateError::Shutdown)
    }

    fn seats(
        &self,
        _: usize,
        _: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError> {
        Err(AllocateError::Full)
    }

    fn counts(&self) -> MediaCounts {
        MediaCounts::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_commands_as_typed() {
    let world = World::new("answers").await;
    let answer = world.ask("core show channels").await;
    assert!(answer.done && answer.text.ends_with("0 active calls\n0 calls processed\n"));
    let plan = world.ask("dialplan show sets").await.text;
    assert!(plan.contains("  '246' =>          1. Answer() "), "{plan}");
    let endpoint = world.ask("pjsip show endpoint alice").await.text;
    assert!(
        endpoint.contains("     InAuth:  alice/alice\n"),
        "{endpoint}"
    );
    assert!(
        endpoint.contains(" ice_support                        : true\n"),
        "{endpoint}"
    );
    let auths = world.ask("pjsip show auths").await.text;
    assert!(!auths.contains("hunter2"), "{auths}");
    assert!(world.ask("pjsip set logger on").await.done);
    assert!(world.log.state().sip.on);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_in_asterisks_words() {
    let world = World::new("refuses").await;
    for (typed, said) in [
        (
            "pjsip show endpoint NOPE",
            "Unable to find object NOPE.\n\n",
        ),
        ("core show channel NOPE", "NOPE is not a known channel\n"),
        (
            "dialplan show nosuch",
            "There is no existence of 'nosuch' context\nCommand 'dialplan show nosuch' failed.\n",
        ),
        (
            "nosuch command",
            "No such command 'nosuch command' (type 'core show help nosuch command' for other \
             possible commands)\n",
        ),
        ("module reload nosuch", "No such module 'nosuch'\n"),
    ] {
        let answer = world.ask(typed).await;
        assert_eq!(answer.text, said);
        assert!(!answer.done, "{typed}");
    }
    let usage = world.ask("http show status now").await.text;
    assert!(usage.starts_with("Usage: http show status\n"), "{usage}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_puts_the_new_plan_in_force() {
    let world = World::new("reload").await;
    let answer = world.ask("dialplan reload").await;
    assert_eq!(
        answer.text,
        "~ extension 246@sets: priority 1 Answer() → Hangup()\n"
    );
    let plan = world.ask("dialplan show 246@sets").await.text;
    assert!(plan.contains("1. Hangup()"), "{plan}");
    let uptime = world.ask("core show uptime").await.text;
    assert!(uptime.contains("Last reload: "), "{uptime}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_to_the_plan_lives_until_its_reload() {
    let world = World::new("edit").await;
    let add = "dialplan add extension 300,1,Dial(PJSIP/alice,30) into sets";
    let said = world.ask(add).await;
    assert_eq!(
        said.text,
        "Extension '300,1,Dial(PJSIP/alice,30)' added into 'sets' context\n"
    );
    let twice = world.ask(add).await.text;
    assert!(
        twice.starts_with("Extension 300@sets with priority 1 already exists\n"),
        "{twice}"
    );
    assert!(world.ask(&format!("{add} replace")).await.done);
    let shown = world.ask("dialplan show 300@sets").await.text;
    assert!(
        shown.contains(
            "'300' =>          1. Dial(PJSIP/alice,30)                       [pbx_config]\n"
        ),
        "{shown}"
    );
    assert!(
        !world
            .ask("dialplan add extension 300,1 into sets")
            .await
            .done
    );
    assert!(world.ask("dialplan remove extension 246@sets 1").await.done);
    let reloaded = world.ask("dialplan reload").await.text;
    assert_eq!(reloaded, "- extension 300@sets\n+ extension 246@sets\n");
    assert!(!world.ask("dialplan save").await.done);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_completed_by_its_last_word() {
    let world = World::new("completes").await;
    let complete = |line: &'static str| {
        let folder = world.folder.clone();
        tokio::task::spawn_blocking(move || cli::complete(&folder, line).unwrap())
    };
    assert_eq!(complete("pjsip sh").await.unwrap(), ["show"]);
    assert_eq!(complete("pjsip show endpoint ").await.unwrap(), ["alice"]);
    assert_eq!(complete("pjsip set logger o").await.unwrap(), ["off", "on"]);
    let context = complete("dialplan add extension 1,1,Answer into ");
    assert_eq!(context.await.unwrap(), ["sets"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_its_owners_alone_and_takes_bounded_lines() {
    let world = World::new("bounds").await;
    let path = world.folder.join(SOCKET_NAME);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let long = "x".repeat(usize::try_from(LINE_BYTES_MAX).unwrap());
    let refused = cli::ask(&world.folder, &long);
    assert!(matches!(refused, Err(Unanswered::NotOneLine)));
    let answer = tokio::task::spawn_blocking(move || flood(&path))
        .await
        .unwrap();
    assert!(answer.starts_with("The command is longer"), "{answer}");
    world.end().await;
}

/// More than a line, without its end.
fn flood(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let bytes = vec![b'x'; usize::try_from(LINE_BYTES_MAX).unwrap()];
    stream.write_all(&bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn says_so_when_no_exchange_runs() {
    let refused = cli::ask(Path::new("/nonexistent"), "core show version").unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("no sidetone runs on the data folder /nonexistent")
    );
}

#[tokio::test]
async fn the_dial_plans_database_answers_as_asterisk_does() {
    let world = World::new("database").await;
    let refused = world.ask("database show").await;
    assert_eq!(
        refused.text,
        "Database unavailable.\nCommand 'database show' failed.\n"
    );
    world.store.keep(&world.folder.join("kept"), "here").await;
    for (line, text) in [
        ("database show", "0 results found.\n"),
        (
            "database put cid 1001 \"Alice A\"",
            "Updated database successfully\n",
        ),
        ("database put cid/x 1 y", "Failed to update entry: "),
        (
            "database put cid 1002 Bob",
            "Updated database successfully\n",
        ),
        ("database get cid 1001", "Value: Alice A\n"),
        ("database get cid 1003", "Database entry not found.\n"),
        ("database del cid 1001", "Database entry removed.\n"),
        ("database del cid 1001", "Database entry does not exist.\n"),
        (
            "database show cid",
            "/cid/1002                                         : Bob                      \n\
             1 results found.\n",
        ),
        ("database deltree cid", "1 database entries removed.\n"),
        ("database deltree cid", "Database entries do not exist.\n"),
    ] {
        let answer = world.ask(line).await.text;
        assert!(answer.starts_with(text), "{line}: {answer}");
    }
    world.store.close().await;
    world.end().await;
}

#[tokio::test]
async fn the_state_of_call_records_has_asterisks_shape() {
    let world = World::new("cdr").await;
    let answer = world.ask("cdr show status").await;
    let expected = "
Call Detail Record (CDR) settings
----------------------------------
  Logging:                    Enabled
  Mode:                       Simple
  Log calls by default:       Yes
  Log unanswered calls:       No
  Log congestion:             No

  Ignore bridging changes:    No

  Ignore dial state changes:  No

* Registered Backends
  -------------------
    (none)

";
    assert_eq!(answer.text, expected);
    world.end().await;
}

/// The shapes that scripts written for Asterisk read.
#[expect(clippy::too_many_lines, reason = "a list of shapes")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_keeps_its_shape() {
    let world = World::new("shapes").await;
    for (line, shape) in [
        (
            "pjsip show auth alice",
            expect![[r#"
                I/OAuth:  <AuthId/UserName...........................................................>
            ==========================================================================================

                 InAuth:  alice/alice


             ParameterName            : ParameterValue
             =========================================
             auth_type                : digest
             nonce_lifetime           : 32
             password                 : ••••
             password_digest          : 
             realm                    : 
             supported_algorithms_uac : 
             supported_algorithms_uas : 
             username                 : alice

        "#]],
        ),
        (
            "pjsip show auths",
            expect![[r#"
                I/OAuth:  <AuthId/UserName...........................................................>
            ==========================================================================================

                 InAuth:  alice/alice

            Objects found: 1

        "#]],
        ),
        (
            "pjsip show aor alice",
            expect![[r#"
                      Aor:  <Aor..............................................>  <MaxContact>
                    Contact:  <Aor/ContactUri............................> <Hash....> <Status> <RTT(ms)..>
                ==========================================================================================

                      Aor:  alice                                                5


                 ParameterName        : ParameterValue
                 ==============================================================================================
                 authenticate_qualify : false
                 contact              : 
                 default_expiration   : 3600
                 mailboxes            : 
                 max_contacts         : 5
                 maximum_expiration   : 7200
                 minimum_expiration   : 60
                 outbound_proxy       : 
                 qualify_2xx_only     : false
                 qualify_frequency    : 0
                 qualify_timeout      : 3.000000
                 remove_existing      : false
                 remove_unavailable   : false
                 support_path         : false
                 voicemail_extension  : 

            "#]],
        ),
        (
            "pjsip show settings",
            expect![[r#"

                Global Settings:

                 ParameterName                       : ParameterValue
                 ===============================================================
                 default_auth_algorithms_uac         : 
                 default_auth_algorithms_uas         : MD5
                 default_from_user                   : asterisk
                 default_outbound_endpoint           : default_outbound_endpoint
                 default_realm                       : asterisk
                 default_voicemail_extension         : 
                 disable_multi_domain                : false
                 endpoint_identifier_order           : 
                 ignore_uri_user_options             : false
                 max_forwards                        : 70
                 max_initial_qualify_time            : 0
                 unidentified_request_count          : 5
                 unidentified_request_period         : 5
                 unidentified_request_prune_interval : 30
                 user_agent                          : 

                System Settings:

                 ParameterName : ParameterValue
                 ==============================
                 timer_b       : 32000
                 timer_t1      : 500

            "#]],
        ),
        (
            "pjsip show registrations",
            expect![[r#"
            No objects found.

        "#]],
        ),
        (
            "pjsip show identifies",
            expect![[r#"
            No objects found.

        "#]],
        ),
        (
            "core show functions",
            expect![[r#"
                Installed Custom Functions:
                --------------------------------------------------------------------------------
                ABS                   ABS(number)                          A number without its sign: ABS(number)
                ARRAY                 ARRAY(name,name…)                    Sets several variables to the parts of a list: Set(ARRAY(a,b)=1,2)
                BASE64_DECODE         BASE64_DECODE(text)                  The text that stands in Base64: BASE64_DECODE(text)
                BASE64_ENCODE         BASE64_ENCODE(text)                  A text in Base64: BASE64_ENCODE(text)
                BLACKLIST             BLACKLIST()                          1 if DB(blacklist/number) is there for the caller's number, else 0
                CALLERID              CALLERID(item[,caller])              Number and name of the caller, who may see them, and what else is known of it
                CALLERPRES            CALLERPRES()                         Who may see the caller; the same as CALLERID(pres)
                CDR                   CDR(field[,options])                 A field of the call detail record: CDR(billsec), CDR(start,u); accountcode, amaflags, userfield and names of your own can be set
                CDR_PROP              CDR_PROP(property)                   Properties of the call detail record: Set(CDR_PROP(disable)=1)
                CHANNEL               CHANNEL(item)                        Facts of the channel: name, uniqueid, linkedid, state, channeltype, endpoint, context, exten, rtp, rtcp, …; language, accountcode, musicclass and tonezone can be set, and subroutines to be run when the channel is over: hangup_handler_push, hangup_handler_pop, hangup_handler_wipe
                CHANNELS              CHANNELS([expression])               The names of all channels, or of those that fit a regular expression: CHANNELS([expression])
                CONNECTEDLINE         CONNECTEDLINE(item[,i])              Number and name of who the channel is connected to; set, it is told, unless with `,i`
                CSV_QUOTE             CSV_QUOTE(text)                      A text in quotes, with those it has written twice: CSV_QUOTE(text)
                CUT                   CUT(variable[,character],fields)     Parts of a variable by their number, separated by a character (-): CUT(variable[,character],1-2&4)
                DB                    DB(family/key)                       An entry of the dial plan's own database, which survives restarts: DB(family/key)
                DB_DELETE             DB_DELETE(family/key)                Reads DB(family/key) and removes it
                DB_EXISTS             DB_EXISTS(family/key)                1 if DB(family/key) is there, else 0
                DB_KEYS               DB_KEYS([family[/beginning]])        The names directly below a family or a key, separated by commas: DB_KEYS([family[/beginning]])
                DB_KEY_COUNT          DB_KEY_COUNT(family[/beginning])     How many names are directly below a family or a key: DB_KEY_COUNT(family[/beginning])
                DEC                   DEC(variable)                        A variable, which becomes one less: DEC(variable)
                DEVICE_STATE          DEVICE_STATE(device)                 How a device is: NOT_INUSE, INUSE, RINGING, …; can be set for those named Custom:name
                DIALGROUP             DIALGROUP(group,add)                 The members of a group as Dial takes them, which survive restarts: Set(DIALGROUP(group,add)=PJSIP/a), `del`, or Set(DIALGROUP(group)=PJSIP/a&PJSIP/b)
                DIALPLAN_EXISTS       DIALPLAN_EXISTS(context[,extension[  1 if the dial plan has such a place, else 0: DIALPLAN_EXISTS(context[,extension[,priority]])
                ENV                   ENV(name)                            A variable of the environment the exchange was started in; it cannot be set, for no program is run by a dial plan
                EVAL                  EVAL(text)                           A text whose variables and functions are put in once more: EVAL(text)
                EXISTS                EXISTS(value)                        1 if a value is something, else 0: EXISTS(value)
                EXTENSION_STATE       EXTENSION_STATE(extension[@context]  How the devices of an extension's hint are together; UNKNOWN without a hint
                FEATURE               FEATURE(option)                      An option of [general] in features.conf, for this channel: featuredigittimeout, atxferdropcall, xfersound, …
                FEATUREMAP            FEATUREMAP(feature)                  The digits of a feature for this channel: blindxfer, atxfer, disconnect, parkcall, automon, automixmon
                FIELDNUM              FIELDNUM(variable,character,value)   Which part of a variable a value is, from 1; 0 if it is none: FIELDNUM(variable,character,value)
                FIELDQTY              FIELDQTY(variable,character)         How many parts a variable has: FIELDQTY(variable,character)
                FILTER                FILTER(0-9A-F,text)                  A text without the characters that are not named: FILTER(0-9A-F,text)
                GLOBAL                GLOBAL(name)                         Variables of the whole exchange
                GROUP                 GROUP([category])                    The group of the channel in a category, to be counted until it hangs up: GROUP([category])
                GROUP_COUNT           GROUP_COUNT([group][@category])      How many channels are in a group: GROUP_COUNT([group][@category])
                GROUP_LIST            GROUP_LIST()                         The groups of the channel, each as group@category
                GROUP_MATCH_COUNT     GROUP_MATCH_COUNT(expression[@categ  How many channels are in groups that match an expression: GROUP_MATCH_COUNT(expression[@category])
                HASH                  HASH(name,key)                       A value by its key: HASH(name,key); or all that are there are set: Set(HASH(name)=value,value)
                HASHKEYS              HASHKEYS(name)                       The keys of what HASH(name,key) has set: HASHKEYS(name)
                HINT                  HINT(extension[@context][,n])        The devices of an extension's hint, or with `,n` its name
                IF                    IF(condition?value[:value])          One of two values, as a condition says: IF(condition?value:value)
                IFTIME                IFTIME(times,weekdays,days,months[,  One of two values, as the time and the date say: IFTIME(times,weekdays,days,months?value:value)
                IMPORT                IMPORT(channel,variable)             A variable of another channel, or its CALLERID(num), CALLERID(name), CHANNEL(state) and the like: IMPORT(channel,variable)
                INC                   INC(variable)                        A variable, which becomes one more: INC(variable)
                ISNULL                ISNULL(value)                        1 if a value is nothing, else 0: ISNULL(value)
                KEYPADHASH            KEYPADHASH(Les)                      The digits of the keys that letters stand on: KEYPADHASH(Les) is 537
                LEN                   LEN(text)                            How many characters a text has: LEN(text)
                LISTFILTER            LISTFILTER(variable,character,value  A variable without the parts that are this value: LISTFILTER(variable,character,value)
                LOCAL                 LOCAL(name)                          Variables that end with the subroutine
                LOCAL_PEEK            LOCAL_PEEK(levels,name)              A variable as it is so many subroutines further out: LOCAL_PEEK(levels,name)
                LOCK                  LOCK(name)                           Takes a lock once no other channel has it: 1; 0 if that lasts 3 seconds and the channel has one already. It is given back by UNLOCK or with the end of the call
                LTRIM                 LTRIM(text)                          A text without the blanks at its beginning: LTRIM(text)
                MASTER_CHANNEL        MASTER_CHANNEL(name)                 A variable of the channel that the call began with, which may be this one: MASTER_CHANNEL(name)
                MATH                  MATH(7/2,int)                        Two numbers and what is between them (+ - * / % ^ << >> AND OR XOR < > <= >= ==), as float, int, hex or char: MATH(7/2,int)
                MAX                   MAX(number,number…)                  The greatest of some numbers: MAX(number,number…)
                MD5                   MD5(text)                            The MD5 digest of a text: MD5(text)
                MESSAGE               MESSAGE(part)                        The text message of the channel: to, from, body
                MESSAGE_DATA          MESSAGE_DATA(name)                   A header of the channel's text message; one that is set goes along with MessageSend
                MIN                   MIN(number,number…)                  The least of some numbers: MIN(number,number…)
                PASSTHRU              PASSTHRU(text)                       The text itself, for functions that take the name of a variable: PASSTHRU(text)
                PJSIP_AOR             PJSIP_AOR(name,option)               An option of an address of record; `contact` is the names of its contacts: PJSIP_AOR(name,option)
                PJSIP_CONTACT         PJSIP_CONTACT(name,uri)              What is known of a contact that PJSIP_AOR(name,contact) names: PJSIP_CONTACT(name,uri), `status`, `rtt` in microseconds, `user_agent`, `via_addr`, `expiration_time` and the like
                PJSIP_DIAL_CONTACTS   PJSIP_DIAL_CONTACTS(endpoint[,aor])  The contacts of an endpoint, or of one of its addresses of record, for Dial
                PJSIP_ENDPOINT        PJSIP_ENDPOINT(name,option)          An option of an endpoint as it is in force: PJSIP_ENDPOINT(name,option)
                PJSIP_HEADER          PJSIP_HEADER(read,name[,number])     A header of the INVITE that brought the call: PJSIP_HEADER(read,name[,number]), where `X-*` is any that begins so; or of one that is to go out: `add`, `update`, `remove`
                PJSIP_HEADERS         PJSIP_HEADERS([beginning])           The names of the headers of the INVITE that begin so: PJSIP_HEADERS([beginning])
                PJSIP_PARSE_URI       PJSIP_PARSE_URI(uri,part)            A part of an address: PJSIP_PARSE_URI(uri,part), one of display, scheme, user, passwd, host, port, user_param, method_param, transport_param, ttl_param, lr_param, maddr_param
                PJSIP_PARSE_URI_FROM  PJSIP_PARSE_URI_FROM(variable,part)  The same of an address that stands in a variable: PJSIP_PARSE_URI_FROM(variable,part)
                PJSIP_RESPONSE_HEADE  PJSIP_RESPONSE_HEADER(read,name[,nu  A header of the 200 that answered a call of ours, for the subroutine of Dial's U: PJSIP_RESPONSE_HEADER(read,name[,number])
                PJSIP_RESPONSE_HEADE  PJSIP_RESPONSE_HEADERS([beginning])  The names of the headers of that 200 that begin so: PJSIP_RESPONSE_HEADERS([beginning])
                POP                   POP(variable[,character])            The last part of a variable, which is taken off: POP(variable[,character])
                PUSH                  PUSH(variable[,character])           Adds a part at the end of a variable: Set(PUSH(variable[,character])=value)
                QUOTE                 QUOTE(text)                          A text in quotes, with a backslash before those it has: QUOTE(text)
                RAND                  RAND([min[,max]])                    A whole number by chance, both ends among them: RAND([min[,max]])
                REDIRECTING           REDIRECTING(item[,i])                Who sent the call on (orig, from), to whom (to), why (reason) and how often (count)
                REGEX                 REGEX("expression" text)             1 if a text fits a regular expression, else 0: REGEX("expression" text)
                REPLACE               REPLACE(variable,characters[,charac  A variable with each of some characters replaced or, without the last argument, left out: REPLACE(variable,characters[,character])
                RTRIM                 RTRIM(text)                          A text without the blanks at its end: RTRIM(text)
                SET                   SET(name=value)                      Sets a variable, and is its value: SET(name=value)
                SHA1                  SHA1(text)                           The SHA-1 digest of a text: SHA1(text)
                SHARED                SHARED(name[,channel])               A variable of the channel, or of another one, that all may read and set: SHARED(name[,channel])
                SHIFT                 SHIFT(variable[,character])          The first part of a variable, which is taken off: SHIFT(variable[,character])
                SORT                  SORT(key:number,key:number…)         Keys in the order of their numbers: SORT(key:number,key:number…)
                SPRINTF               SPRINTF(%05d %s,7,x)                 Values put into a text as printf does: SPRINTF(%05d %s,7,x)
                STACK_PEEK            STACK_PEEK(level,which[,suppress])   Where a subroutine was called, the latest being 1: its context `c`, extension `e`, priority `p` or all of them `l`: STACK_PEEK(level,which[,suppress])
                STRBETWEEN            STRBETWEEN(variable,text)            A variable with a text between each two of its characters: STRBETWEEN(variable,text)
                STRFTIME              STRFTIME([seconds][,[zone][,format]  A moment in words, now if none is given: STRFTIME([seconds since 1970][,time zone[,%Y-%m-%d %H:%M:%S]])
                STRPTIME              STRPTIME(words,time zone,%Y-%m-%d %  The seconds since 1970 of a moment in words: STRPTIME(words,time zone,%Y-%m-%d %H:%M:%S)
                STRREPLACE            STRREPLACE(variable,text[,by[,times  A variable with a text in it replaced, as often as is said: STRREPLACE(variable,text[,by[,times]])
                TIMEOUT               TIMEOUT(item)                        How long a call may last, and a caller may take to dial: absolute, digit, response
                TOLOWER               TOLOWER(text)                        A text in small letters: TOLOWER(text)
                TOUPPER               TOUPPER(text)                        A text in capital letters: TOUPPER(text)
                TRIM                  TRIM(text)                           A text without the blanks at its ends: TRIM(text)
                TRYLOCK               TRYLOCK(name)                        Takes a lock: 1; 0 if another channel has it
                UNLOCK                UNLOCK(name)                         Gives a lock back: 1; 0 if the channel has none of this name
                UNSHIFT               UNSHIFT(variable[,character])        Adds a part at the beginning of a variable: Set(UNSHIFT(variable[,character])=value)
                URIDECODE             URIDECODE(text)                      A text without the escapes of a URI: URIDECODE(text)
                URIENCODE             URIENCODE(text)                      A text with escapes where a URI needs them: URIENCODE(text)
                VALID_EXTEN           VALID_EXTEN([context],extension[,pr  1 if there is such an extension, else 0: VALID_EXTEN([context],extension[,priority])
                VERSION               VERSION()                            The version of the exchange
                100 custom functions installed.
            "#]],
        ),
        (
            "core show function CALLERID",
            expect![[r#"

                  -= Info about Function 'CALLERID' =-

                [Synopsis]
                Number and name of the caller, who may see them, and what else is known of it

                [Description]
                It can be set.

                Reads and sets who calls. With a caller, "name" <number>, the item of that is read instead of the call's.

                - all: name and number as "name" <number>; set, they are also who is charged (ani-all).
                - num, number: the number.
                - name: the name.
                - num-valid, name-valid: 1 if there is one; 0 set takes it away.
                - num-pres, name-pres: who may see it, such as allowed_not_screened or prohib.
                - pres: that of the number and the name together; set, it is that of both.
                - num-plan: the numbering plan, which is always 0.
                - name-charset: always utf8.
                - tag: a mark of your own.
                - subaddr, subaddr-type, subaddr-valid, subaddr-odd: a subaddress, which SIP has not: nothing or 0.
                - ani, ani-…: who is charged; behind the hyphen any item above.
                - ani2: digits of the kind of line.
                - dnid: the number that was dialled.
                - rdnis: the number of who sent the call on.
                - dnid-num-plan, ton, tns: plans of numbers that SIP says nothing of: always 0.

                    exten => _9.,1,Set(CALLERID(num)=5551000)

                [Syntax]
                CALLERID(item[,caller])

            "#]],
        ),
        (
            "core show codecs",
            expect![[r#"
            Disclaimer: this command is for informational purposes only.
            	It does not indicate anything about your configuration.
                  ID TYPE  NAME         FORMAT           DESCRIPTION
            --------------------------------------------------------------------------------
                   1 audio opus         opus             (opus at 48000 Hz)
                   2 audio g722         g722             (G722 at 8000 Hz)
                   3 audio ulaw         ulaw             (PCMU at 8000 Hz)
                   4 audio alaw         alaw             (PCMA at 8000 Hz)
                   5 audio slin         slin             (L16 at 8000 Hz)
                   6 audio slin16       slin16           (L16 at 16000 Hz)
                   7 audio slin44       slin44           (L16 at 44100 Hz)
                   8 audio slin48       slin48           (L16 at 48000 Hz)
                   9 video vp8          vp8              (VP8 at 90000 Hz)
                  10 video vp9          vp9              (VP9 at 90000 Hz)
                  11 video h264         h264             (H264 at 90000 Hz)
                  12 video av1          av1              (AV1 at 90000 Hz)
        "#]],
        ),
        (
            "core show channels",
            expect![[r#"
            Channel                                                          Location                         State   Application(Data)             
            0 active channels
            0 active calls
            0 calls processed
        "#]],
        ),
        ("core show channels concise", expect![[r#""#]]),
        (
            "dialplan show sets",
            expect![[r#"
            [ Context 'sets' created by 'pbx_config' ]
              '246' =>          1. Answer()                                   [extensions.conf:2]

            -= 1 extension (1 priority) in 1 context. =-
        "#]],
        ),
    ] {
        let answer = world.ask(line).await;
        assert!(answer.done, "{line}: {}", answer.text);
        shape.assert_eq(&answer.text);
    }
    world.end().await;
}
