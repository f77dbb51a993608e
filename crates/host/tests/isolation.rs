//! Plugins in worker processes, well-behaved and not: what the user sees, and that everything else is judged.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod support;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lundian_core::{Batch, Cancel, Classifier, ClassifierError, Output, Setup, Unit};
use lundian_host::{Found, Isolation, Level, Loader, Sandbox, WorkerOptions};
use serde_json::{Value, json};
use support::{World, fixture};

const KEYWORD: &str = include_str!("../../../tests/plugins/keyword/plugin.toml");
const MISBEHAVING: &str = include_str!("../../../tests/plugins/misbehaving/plugin.toml");
const TEXTS: [&str; 6] = ["好", "也好", "更好", "有毒的", "不坏", "很好"];
const POISON: usize = 3;

type Lines = Arc<Mutex<Vec<(Level, String)>>>;

/// A trusted plugin, and the ways to run it.
struct Bench {
    world: World,
    found: Found,
    options: WorkerOptions,
    lines: Lines,
}

impl Bench {
    fn new(name: &str, manifest: &str) -> Self {
        let world = World::new();
        let found = world.add(&world.plugin(manifest, &fixture(name)));
        assert_eq!(found.problem.as_ref().map(ToString::to_string), None);
        let none: [&str; 0] = [];
        let mut options = WorkerOptions::new(env!("CARGO_BIN_EXE_lundian-test-worker"), none);
        // Longer than any honest call of a test takes, on a busy machine too.
        options.deadline = Duration::from_secs(40);
        Self { world, found, options, lines: Arc::default() }
    }

    fn misbehaving() -> Self {
        Self::new("misbehaving", MISBEHAVING)
    }

    fn loader(&self, isolation: Isolation) -> Loader {
        let lines = Arc::clone(&self.lines);
        let log = move |id: &str, level: Level, line: &str| {
            assert!(["misbehaving", "keyword"].contains(&id));
            lines.lock().unwrap().push((level, line.to_owned()));
        };
        Loader::new(self.world.trust(), isolation).with_log(Arc::new(log))
    }

    fn load(&self, settings: &Value) -> Result<Arc<dyn Classifier>, String> {
        let setup = Setup::new(&self.world.taxonomy, settings);
        self.loader(Isolation::Process(self.options.clone())).load(&self.found, &setup).map_err(|e| e.to_string())
    }

    fn here(&self, settings: &Value) -> Result<Arc<dyn Classifier>, String> {
        let setup = Setup::new(&self.world.taxonomy, settings);
        self.loader(Isolation::InProcess).load(&self.found, &setup).map_err(|e| e.to_string())
    }

    fn classify(&self, plugin: &dyn Classifier) -> Result<Output, ClassifierError> {
        self.world.classify(plugin, &TEXTS)
    }

    /// What the user reads about the poisonous paragraph, in a worker with the `behaviour`; everything else must have
    /// been judged as ever, and the plugin must still work.
    fn poison(&self, settings: &Value) -> String {
        let plugin = self.load(settings).unwrap();
        let out = self.classify(&*plugin).unwrap();
        for (row, text) in TEXTS.iter().enumerate().filter(|(row, _)| *row != POISON) {
            assert_eq!(out.row(row)[0], text.len() as f32 / 1000.0, "row {row}");
        }
        let after = self.world.classify(&*plugin, &["好"]).unwrap();
        assert_eq!(after.row(0)[0], 0.003);
        match out.failures.as_slice() {
            [] => format!("score {}", out.row(POISON)[0]),
            [failure] => {
                assert_eq!(failure.row, POISON);
                assert!(out.row(POISON).iter().all(|s| s.is_nan()));
                failure.reason.clone()
            }
            more => panic!("{more:?}"),
        }
    }

    fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }
}

fn asked(behaviour: &str) -> Value {
    json!({ "behaviour": behaviour })
}

fn bits(out: &Output) -> Vec<u32> {
    out.scores().iter().map(|s| s.to_bits()).collect()
}

#[test]
fn a_worker_answers_as_the_same_plugin_does_here() {
    let bench = Bench::new("keyword", KEYWORD);
    let mut settings = json!({ "keywords": { "overcapacity": ["产能", "过剩"], "weak-demand": ["消费"] } });
    settings["roles"] = json!({ "explanation": ["而", "天"], "evidence": ["过剩"], "remedy": ["不足", "气"] });
    let (here, there) = (bench.here(&settings).unwrap(), bench.load(&settings).unwrap());
    assert_eq!(here.thresholds(), there.thresholds());
    let long = "产能过剩。".repeat(20_000);
    let texts = ["产能过剩,过剩!", "消费不足而产能过剩", "", "天气\0😀", &long];
    for texts in [&texts[..], &[]] {
        let (a, b) = (bench.world.classify(&*here, texts).unwrap(), bench.world.classify(&*there, texts).unwrap());
        assert_eq!(bits(&a), bits(&b));
        assert_eq!(a.roles(), b.roles());
        assert_eq!(b.roles().iter().flatten().count(), if texts.is_empty() { 0 } else { 4 });
        assert_eq!((a.evidence, a.failures), (b.evidence, b.failures));
    }
    let wrong = json!({ "keywords": { "nonsense": [] } });
    assert_eq!(bench.here(&wrong).err(), bench.load(&wrong).err());
    assert!(bench.load(&wrong).err().unwrap().contains("\"nonsense\" is no thesis of this taxonomy"));
    // The sandbox is whole here, and nothing else had anything to say.
    assert_eq!(bench.log(), Vec::<String>::new());
}

#[test]
fn several_workers_answer_several_threads() {
    let mut bench = Bench::new("keyword", KEYWORD);
    bench.options.workers = 2;
    let plugin = bench.load(&json!({ "keywords": { "overcapacity": ["过剩"] } })).unwrap();
    let expected = bits(&bench.world.classify(&*plugin, &["过剩", "好"]).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(bits(&bench.world.classify(&*plugin, &["过剩", "好"]).unwrap()), expected);
                }
            });
        }
    });
}

#[test]
fn crashes_cost_the_paragraph_that_causes_them() {
    let bench = Bench::misbehaving();
    for (behaviour, reason) in [
        ("panic", "panicked: I panic"),
        ("error", "I return an error"),
        ("abort", "its process aborted (SIGABRT)"),
        ("exit", "its process ended by itself with exit code 7"),
        ("null-write", "its process crashed on a bad memory access (SIGSEGV)"),
        ("stack-overflow", "its process aborted (SIGABRT); its last words: fatal runtime error: stack overflow"),
        ("close-descriptors", "its process lost its channel to the program"),
    ] {
        let seen = bench.poison(&asked(behaviour));
        assert!(seen.starts_with(reason), "{behaviour}: {seen}");
    }
    // The plugin's standard error is its log.
    assert!(bench.log().iter().any(|l| l == "I panic"), "{:?}", bench.log());
}

#[test]
fn wrong_answers_cost_the_paragraph_that_they_are_about() {
    let bench = Bench::misbehaving();
    for (behaviour, reason) in [
        ("not-a-number", "score NaN"),
        ("infinite", "score inf for paragraph 3, thesis 0 is outside [0, 1]"),
        ("huge", "score 1000000000000000000000000000000 for paragraph 3, thesis 0 is outside [0, 1]"),
        ("roles-of-sum-two", "roles of paragraph 3 are scored [0.5, 0.5, 0.5, 0.5], which is not 4 numbers"),
        ("evidence-outside", "evidence 0..10 in paragraph 3 is empty, outside its 9 bytes or inside a character"),
        ("evidence-inside-character", "evidence 1..9 in paragraph 3 is empty"),
        ("evidence-for-unknown-thesis", "evidence in paragraph 3 for thesis 22 of 22"),
        ("evidence-for-unknown-row", "the plugin's answer is wrong: evidence for paragraph 1001 of a batch of 1"),
    ] {
        let seen = bench.poison(&asked(behaviour));
        assert!(seen.starts_with(reason), "{behaviour}: {seen}");
        // In this process the same plugin says the same.
        let here = bench.classify(&*bench.here(&asked(behaviour)).unwrap()).unwrap();
        assert_eq!(here.failures.first().map_or("score NaN", |f| f.reason.as_str()), seen);
    }
}

#[test]
fn too_many_rows_are_an_error_of_the_plugin() {
    let bench = Bench::misbehaving();
    let plugin = bench.load(&asked("too-many-rows")).unwrap();
    let out = bench.classify(&*plugin).unwrap();
    assert_eq!(out.failures.len(), TEXTS.len());
    assert!(out.failures[0].reason.contains("it returned too many rows"), "{}", out.failures[0].reason);
}

#[test]
fn what_never_ends_is_ended() {
    let mut bench = Bench::misbehaving();
    bench.options.deadline = Duration::from_secs(4);
    for behaviour in ["loop", "sleep"] {
        let seen = bench.poison(&asked(behaviour));
        assert!(seen.starts_with("its process gave no answer within "), "{behaviour}: {seen}");
    }
    bench.options.deadline = Duration::from_secs(40);
    bench.options.heartbeat = Duration::from_secs(2);
    assert_eq!(bench.poison(&asked("stop")), "its process showed no sign of life for 2 s");
    // No time of the clock will do on a busy machine.
    bench.options.deadline = Duration::from_secs(4000);
    bench.options.cpu = Some(Duration::from_secs(1));
    assert_eq!(bench.poison(&asked("loop")), "its process used more processor time than it may (SIGXCPU)");
    bench.options.start_deadline = Duration::from_secs(1);
    let error = bench.load(&asked("sleep-in-create")).err().unwrap();
    assert_eq!(error, "plugin \"misbehaving\": its worker process gave no answer within 1 s");
}

#[test]
fn a_hoarder_runs_out_of_its_own_memory() {
    let mut bench = Bench::misbehaving();
    bench.options.memory = Some(512 << 20);
    let seen = bench.poison(&asked("allocate"));
    assert_eq!(seen, "its process aborted (SIGABRT); its last words: memory allocation of 16777216 bytes failed");
}

#[test]
fn what_it_prints_is_its_log_within_measure() {
    let bench = Bench::misbehaving();
    assert_eq!(bench.poison(&asked("noise")), "score 0.009");
    // Every line comes through a pipe; give the reader time.
    let start = Instant::now();
    while bench.log().len() < 1001 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = bench.log();
    assert_eq!(log.len(), 1001);
    assert!(log.contains(&"line 7".to_owned()));
    assert!(log.iter().all(|line| !line.contains('\x1b')));
    assert!(log[1000].contains("the rest is not shown"));
}

#[test]
fn what_it_starts_dies_with_it() {
    let mut bench = Bench::misbehaving();
    bench.options.sandbox = Sandbox::Off;
    assert_eq!(bench.poison(&asked("fork")), "score 0.009");
    // The copy that it leaves behind holds the channel open, and it is noticed all the same.
    let start = Instant::now();
    assert!(bench.poison(&asked("fork-and-die")).starts_with("its process aborted (SIGABRT)"));
    assert!(start.elapsed() < Duration::from_secs(30));
    bench.options.sandbox = Sandbox::On;
    assert_eq!(bench.poison(&asked("fork")), "Operation not permitted (os error 1)");
}

#[test]
fn the_sandbox_refuses_what_a_classifier_does_not_need() {
    let mut bench = Bench::misbehaving();
    let secret = bench.world.path("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    let target = bench.world.path("written.txt");
    let at = |behaviour: &str, path: &std::path::Path| json!({ "behaviour": behaviour, "path": path });
    let probes = [
        (at("read-file", &secret), "refused: Permission denied (os error 13)", "done: \"secret\""),
        (at("write-file", &target), "refused: Permission denied (os error 13)", "done: File"),
        (asked("open-socket"), "refused: Operation not permitted (os error 1)", "refused: Connection refused"),
        (asked("start-program"), "refused: Operation not permitted (os error 1)", "done: ExitStatus"),
        (asked("kill-parent"), "refused: Operation not permitted (os error 1)", "done: ()"),
    ];
    for (settings, refused, _) in &probes {
        assert_eq!(bench.poison(settings), *refused, "{settings}");
    }
    assert!(!target.exists());
    // Its own folder, and what the user allows.
    assert!(bench.poison(&at("read-file", &bench.found.dir.join("plugin.toml"))).starts_with("done: "));
    bench.options.readable = vec![secret.clone()];
    assert_eq!(bench.poison(&at("read-file", &secret)), "done: \"secret\"");
    bench.options.readable.clear();
    // Without the sandbox all of it is possible, so the refusals above are the sandbox's.
    bench.options.sandbox = Sandbox::Off;
    for (settings, _, possible) in &probes {
        let seen = bench.poison(settings);
        assert!(seen.starts_with(possible), "{settings}: {seen}");
    }
    let environment = bench.poison(&asked("environment"));
    assert!(!environment.contains("CARGO") && !environment.contains("HOME"), "{environment}");
}

#[test]
fn a_plugin_that_fails_too_often_is_switched_off() {
    let bench = Bench::misbehaving();
    let plugin = bench.load(&asked("abort")).unwrap();
    let mut texts = vec!["有毒"; 12];
    texts.insert(0, "好");
    let out = bench.world.classify(&*plugin, &texts).unwrap();
    assert_eq!(out.row(0)[0], 0.003);
    assert_eq!(out.failures.len(), 12);
    let reason = "switched off for the rest of the run: after 10 failures, the last: its process aborted (SIGABRT)";
    assert_eq!(out.failures[11].reason, reason);
    assert_eq!(bench.world.classify(&*plugin, &["好"]).unwrap_err(), ClassifierError::Failed(reason.into()));
}

#[test]
fn a_plugin_that_cannot_be_made_says_why() {
    let bench = Bench::misbehaving();
    let error = |behaviour: &str| bench.load(&asked(behaviour)).err().unwrap();
    assert_eq!(error("refuse-in-create"), "plugin \"misbehaving\": weights.bin is missing");
    assert_eq!(error("abort-in-create"), "plugin \"misbehaving\": its worker process aborted (SIGABRT)");
    assert!(error("no-such-behaviour").contains("wrong settings: unknown variant `no-such-behaviour`"));

    let mut bench = Bench::misbehaving();
    bench.options.program = "/no/such/program".into();
    let error = bench.load(&Value::Null).err().unwrap();
    assert!(error.contains("its worker process cannot be started (/no/such/program): No such file"), "{error}");
    // A program that is not this one.
    bench.options.program = "/bin/cat".into();
    bench.options.start_deadline = Duration::from_secs(1);
    let error = bench.load(&Value::Null).err().unwrap();
    assert!(error.contains("its worker process ended by itself with exit code 1; its last words: "), "{error}");
}

#[test]
fn cancelling_stops_even_what_does_not_listen() {
    let bench = Bench::misbehaving();
    let plugin = bench.load(&asked("sleep")).unwrap();
    let cancel = Cancel::default();
    let units = [Unit { text: "有毒", ..Unit::default() }];
    let batch = Batch::new(&units).with_cancel(cancel.clone());
    let start = Instant::now();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| plugin.classify(&batch, &mut Output::new(1, bench.world.taxonomy.len())));
        cancel.cancel();
        waiting.join().unwrap()
    });
    assert_eq!(answer, Err(ClassifierError::Cancelled));
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(bench.world.classify(&*plugin, &["好"]).unwrap().row(0)[0], 0.003);
}

#[test]
fn a_library_that_was_changed_or_lies_is_refused_in_a_worker_too() {
    let world = World::new();
    let manifest = "format = 1\nid = 'ckeyword'\nversion = '2.0'\nabi = 1\n";
    let found = world.add(&world.plugin(manifest, &world.c_plugin(&[])));
    let bench = Bench { world, found, ..Bench::misbehaving() };
    let error = bench.load(&Value::Null).err().unwrap();
    assert!(error.contains("plugin.toml says `version = 2.0`, the library itself says `version = 1.0`"), "{error}");
    assert_eq!(bench.here(&Value::Null).err().unwrap(), error);
}

/// Not a test of its own: what `workers_die_with_the_program` runs as a program that dies.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_program_that_dies() {
    let bench = Bench::misbehaving();
    let plugin = bench.load(&asked("sleep")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| bench.classify(&*plugin));
        std::thread::sleep(Duration::from_millis(500));
        // SAFETY: a signal to this process.
        unsafe { libc::raise(libc::SIGKILL) };
    });
}

#[test]
fn workers_die_with_the_program() {
    let workers = || {
        let mine = |entry: std::fs::DirEntry| {
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let is_worker = command.starts_with(b"lundian-worker\0");
            is_worker.then(|| String::from_utf8_lossy(&command).into_owned())
        };
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(mine).collect::<Vec<_>>()
    };
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_program_that_dies", "--ignored", "--quiet"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Its workers have its number as their argument.
    let parent = format!("\0{}\0", program.id());
    let start = Instant::now();
    while !workers().iter().any(|w| w.contains(&parent)) {
        assert!(start.elapsed() < Duration::from_secs(60), "it never started a worker");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!program.wait().unwrap().success());
    let start = Instant::now();
    while workers().iter().any(|w| w.contains(&parent)) {
        assert!(start.elapsed() < Duration::from_secs(30), "its worker lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}
