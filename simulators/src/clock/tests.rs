//! Order, cancellation, equal deadlines, many sleepers, stalls and going live.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const START: i64 = 1_793_491_200_000_000;

fn at(seconds: i64) -> Instant {
    Instant::from_micros(START + seconds * 1_000_000)
}

fn clock() -> VirtualClock {
    VirtualClock::new(at(0))
}

/// Waits until `sleepers` sleep: the tasks of a test have begun.
async fn until_asleep(clock: &VirtualClock, sleepers: usize) {
    let deadline = RealInstant::now() + Duration::from_secs(10);
    while clock.sleepers() < sleepers {
        assert!(
            RealInstant::now() < deadline,
            "{} of {sleepers} sleep",
            clock.sleepers()
        );
        tokio::task::yield_now().await;
    }
}

type Diary = Arc<Mutex<Vec<(usize, i64)>>>;

fn write(diary: &Diary, who: usize, clock: &VirtualClock) {
    let second = (clock.now().as_micros() - START) / 1_000_000;
    diary.lock().unwrap().push((who, second));
}

/// A sampler: sleeps to each multiple of `period`, works for a while, notes the time.
fn sampler(clock: &VirtualClock, diary: &Diary, who: usize, period: i64) {
    let (clock, diary) = (clock.clone(), diary.clone());
    tokio::spawn(async move {
        for turn in 1.. {
            clock.sleep_until(at(turn * period)).await;
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            write(&diary, who, &clock);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_between_sleeps_sees_the_time_of_its_deadline() {
    let (clock, diary) = (clock(), Diary::default());
    sampler(&clock, &diary, 0, 10);
    sampler(&clock, &diary, 1, 15);
    until_asleep(&clock, 2).await;
    clock.advance(at(30)).await.unwrap();
    let mut seen = diary.lock().unwrap().clone();
    seen.sort_by_key(|(who, second)| (*second, *who));
    assert_eq!(seen, [(0, 10), (1, 15), (0, 20), (0, 30), (1, 30)]);
    assert_eq!(clock.now(), at(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sleepers_keep_their_order() {
    let (clock, diary) = (clock(), Diary::default());
    for who in 0..200 {
        sampler(&clock, &diary, who, 1 + (who as i64 % 7));
    }
    until_asleep(&clock, 200).await;
    clock.advance(at(420)).await.unwrap();
    let seen = diary.lock().unwrap();
    let wanted: i64 = (0..200).map(|who| 420 / (1 + who % 7)).sum();
    assert_eq!(seen.len() as i64, wanted);
    assert!(
        seen.windows(2).all(|pair| pair[0].1 <= pair[1].1),
        "time went backwards"
    );
}

#[tokio::test]
async fn equal_deadlines_all_wake_before_time_moves_on() {
    let clock = clock();
    let woken = Arc::new(AtomicUsize::new(0));
    for _ in 0..20 {
        let (clock, woken) = (clock.clone(), woken.clone());
        tokio::spawn(async move {
            clock.sleep_until(at(5)).await;
            assert_eq!(clock.now(), at(5));
            woken.fetch_add(1, Ordering::SeqCst);
            clock.sleep_until(at(1_000)).await;
        });
    }
    until_asleep(&clock, 20).await;
    clock.advance(at(900)).await.unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 20);
    assert_eq!(clock.sleepers(), 20);
}

#[tokio::test]
async fn a_cancelled_sleeper_leaves_nothing_behind() {
    let clock = clock();
    let task = tokio::spawn({
        let clock = clock.clone();
        async move { clock.sleep_until(at(10)).await }
    });
    until_asleep(&clock, 1).await;
    task.abort();
    let _ = task.await;
    assert_eq!(clock.sleepers(), 0);
    clock.advance(at(20)).await.unwrap();
    assert_eq!(clock.now(), at(20));
}

#[tokio::test]
async fn a_sleeper_cancelled_after_it_was_woken_is_not_waited_for() {
    let clock = clock();
    let mut sleep = Box::pin(clock.sleep_until(at(10)));
    assert!(futures_util::poll!(&mut sleep).is_pending());
    let advance = clock.advance(at(20));
    let mut advance = Box::pin(advance);
    assert!(
        futures_util::poll!(&mut advance).is_pending(),
        "it must wait for the woken sleeper"
    );
    drop(sleep);
    advance.await.unwrap();
    assert_eq!(clock.now(), at(20));
}

#[tokio::test]
async fn a_select_over_a_sample_and_a_heartbeat_is_one_participant() {
    let (clock, diary) = (clock(), Diary::default());
    tokio::spawn({
        let (clock, diary) = (clock.clone(), diary.clone());
        async move {
            let (mut sample, mut heartbeat) = (10, 30);
            loop {
                tokio::select! {
                    biased;
                    () = clock.sleep_until(at(sample)) => {
                        write(&diary, 0, &clock);
                        sample += 10;
                    }
                    () = clock.sleep_until(at(heartbeat)) => {
                        write(&diary, 1, &clock);
                        heartbeat += 30;
                    }
                }
            }
        }
    });
    until_asleep(&clock, 2).await;
    clock.advance(at(60)).await.unwrap();
    let seen = diary.lock().unwrap().clone();
    let samples = seen.iter().filter(|(who, _)| *who == 0).count();
    assert_eq!((samples, seen.len()), (6, 8));
    assert!(seen.contains(&(1, 30)) && seen.contains(&(1, 60)));
}

#[tokio::test]
async fn two_sleepers_joined_in_one_task_are_both_waited_for() {
    let (clock, diary) = (clock(), Diary::default());
    tokio::spawn({
        let (clock, diary) = (clock.clone(), diary.clone());
        async move {
            let one = |who: usize, yields: usize| {
                let (clock, diary) = (clock.clone(), diary.clone());
                async move {
                    for turn in 1.. {
                        clock.sleep_until(at(turn * 10)).await;
                        for _ in 0..yields {
                            tokio::task::yield_now().await;
                        }
                        write(&diary, who, &clock);
                    }
                }
            };
            tokio::join!(one(0, 1), one(1, 50));
        }
    });
    until_asleep(&clock, 2).await;
    clock.advance(at(30)).await.unwrap();
    let mut seen = diary.lock().unwrap().clone();
    seen.sort_by_key(|(who, second)| (*second, *who));
    assert_eq!(seen, [(0, 10), (1, 10), (0, 20), (1, 20), (0, 30), (1, 30)]);
}

#[tokio::test]
async fn a_stalled_task_is_named_once_and_then_left_alone() {
    let clock = VirtualClock::with_patience(at(0), Duration::from_millis(50));
    tokio::spawn({
        let clock = clock.clone();
        async move {
            clock.sleep_until(at(10)).await;
            std::future::pending::<()>().await;
        }
    });
    until_asleep(&clock, 1).await;
    let error = clock.advance(at(100)).await.unwrap_err();
    assert!(
        matches!(error, AdvanceError::Stalled { tasks: 1, .. }),
        "{error}"
    );
    assert_eq!(clock.now(), at(10), "time stands where the task stalled");
    clock.advance(at(100)).await.unwrap();
    assert_eq!(clock.now(), at(100));
}

#[tokio::test]
async fn time_never_goes_back_and_past_deadlines_do_not_sleep() {
    let clock = clock();
    clock.advance(at(100)).await.unwrap();
    clock.advance(at(50)).await.unwrap();
    assert_eq!(clock.now(), at(100));
    clock.sleep_until(at(99)).await;
    clock.sleep_until(at(100)).await;
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn a_live_clock_moves_by_itself_and_refuses_to_be_moved() {
    let (clock, shutdown) = (clock(), CancellationToken::new());
    clock.advance(at(7)).await.unwrap();
    clock.go_live(shutdown.clone());
    clock.go_live(shutdown.clone());
    let before = clock.now();
    assert!(before >= at(7));
    clock.sleep_until(before + Duration::from_millis(30)).await;
    assert!(clock.now() >= before + Duration::from_millis(30));
    assert_eq!(clock.advance(at(1_000)).await, Err(AdvanceError::Live));
    shutdown.cancel();
}
