//! Subroutines: there and back, with arguments that end with them.

use crate::dial::result;
use crate::reach::Reach;

async fn says(plan: &str) -> String {
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    result(&reach)
}

#[tokio::test(start_paused = true)]
async fn a_subroutine_returns_to_the_next_step_with_a_value() {
    let plan = "exten => 100,1,Set(ARG1=own)
 same => n,Gosub(sub,s,1(one,\"t,wo\"))
 same => n,NoOp(${GOSUB_RETVAL} ${ARG1} ${ARGC} ${X} ${Y})
 same => n,Hangup()
[sub]
exten => s,1,Set(LOCAL(X)=gone)
 same => n,Set(Y=kept)
 same => n,Gosub(deeper,1)
 same => n,Return(${ARG1}-${ARG2}-${ARGC}-${GOSUB_RETVAL})
exten => deeper,1,Set(LOCAL(X)=other)
 same => n,Return(${X})
";
    assert_eq!(says(plan).await, "one-t,wo-2-other own   kept");
}

#[tokio::test(start_paused = true)]
async fn a_condition_chooses_the_subroutine_or_none() {
    let plan = "exten => 100,1,GosubIf($[1 = 2]?yes,1(a):no,1(b:c))
 same => n,Set(A=${GOSUB_RETVAL})
 same => n,GosubIf(1?yes,1(a):no,1)
 same => n,Set(B=${GOSUB_RETVAL})
 same => n,GosubIf(0?yes,1)
 same => n,NoOp(${A} ${B})
exten => yes,1,Return(yes ${ARG1})
exten => no,1,Return(no ${ARG1})
";
    assert_eq!(says(plan).await, "no b:c yes a");
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_subroutine_is_not_returned_to() {
    let plan = "exten => 100,1,Gosub(sub,1(x))
 same => n,NoOp(returned)
exten => sub,1,StackPop()
 same => n,Return()
 same => n,NoOp(went on [${ARG1}])
";
    assert_eq!(says(plan).await, "went on []");
}

#[tokio::test(start_paused = true)]
async fn subroutines_that_never_return_are_bounded() {
    let reach = Reach::new("exten => 100,1,Gosub(100,1)\n").await;
    let call = reach.world.dial("100").await;
    assert!(call.is_over());
    let remarks = reach.world.remarks().join("\n");
    assert!(remarks.contains("SUBROUTINES_MAX"), "{remarks}");
}
