//! The border from both sides at once: a plugin of this program, called as a host calls a shared library.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::sync::{Arc, Mutex};

use lundian_plugin::border::{Entry, EntryError, Foreign, Level, abi, entry};
use lundian_plugin::serde_json::{Value, json};
use lundian_plugin::testing::Bench;
use lundian_plugin::{
    Batch, Cancel, Classifier, ClassifierError, Evidence, Failure, Output, Plugin, Role, RoleScores, Setup, Taxonomy,
    Thresholds, Unit,
};

/// Not rounded, so that every bit counts.
const ROLE_WORDS: [(&str, RoleScores); 3] =
    [("应该", [0.1, 0.2, 0.6, 0.1]), ("据", [1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]), ("好", [1.0, 0.0, 0.0, 0.0])];

/// Does what its setting `act` says to paragraphs that contain 毒, and scores the others by their length. It knows the
/// role of those that contain 应该, 据 or 好.
struct Actor {
    act: String,
    dir: String,
}

impl Plugin for Actor {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let act = setup.settings["act"].as_str().unwrap_or_default().to_owned();
        match act.as_str() {
            "bad settings" => Err(ClassifierError::Config("no such act".into())),
            "no model" => Err(ClassifierError::Model("model.bin is missing".into())),
            "panic in create" => panic!("in create"),
            _ => Ok(Self { act, dir: setup.dir.map(|d| d.display().to_string()).unwrap_or_default() }),
        }
    }
}

impl Classifier for Actor {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        for (row, unit) in batch.units.iter().enumerate() {
            out.set(row, 1, unit.text.chars().count() as f32 / 100.0);
            let context = [unit.prev, unit.heading, unit.title].map(str::len);
            out.set(
                row,
                2,
                context.iter().enumerate().map(|(i, n)| n * 10usize.pow(i as u32)).sum::<usize>() as f32 / 1e4,
            );
            if batch.evidence && !unit.text.is_empty() {
                out.add_evidence(row, 1, 0..unit.text.chars().next().unwrap().len_utf8(), 0.5);
            }
            for (word, scores) in ROLE_WORDS {
                if unit.text.contains(word) {
                    out.set_role(row, scores);
                }
            }
            if unit.text.contains('毒') {
                match self.act.as_str() {
                    "fail" => out.fail(row, "poisoned\n\x1b[31m"),
                    "panic" => panic!("on paragraph {row}"),
                    "infinite" => out.set(row, 0, f32::INFINITY),
                    "inside a character" => out.add_evidence(row, 0, 1..2, 0.5),
                    "role of sum 2" => out.set_role(row, [0.5; 4]),
                    "role by batch" if batch.len() > 1 => out.set_role(row, ROLE_WORDS[0].1),
                    "role by batch" => {}
                    "no such thesis" => out.add_evidence(row, 999, 0..3, 0.5),
                    "no such row" => out.add_evidence(999, 0, 0..3, 0.5),
                    "replace" => *out = Output::new(1, 1),
                    "wait" => {
                        while !batch.cancel.is_cancelled() {
                            std::thread::yield_now();
                        }
                        return Err(ClassifierError::Cancelled);
                    }
                    "dir" => return Err(self.dir.as_str().into()),
                    other => unreachable!("{other}"),
                }
            }
        }
        Ok(())
    }

    fn thresholds(&self) -> Thresholds {
        let origin = "chosen by hand".to_owned();
        Thresholds { origin, per_thesis: [("overcapacity".to_owned(), 0.25)].into(), ..Thresholds::uniform(0.75) }
    }
}

fn foreign(settings: &Value) -> Result<Foreign, ClassifierError> {
    let entry = entry::<Actor>("id = 'actor'");
    // SAFETY: the entry is made of this program's functions.
    let entry = unsafe { Entry::check(&entry) }.unwrap();
    assert_eq!(entry.manifest(), "id = 'actor'");
    let taxonomy = Taxonomy::china_economy();
    let setup = Setup::new(&taxonomy, settings).with_dir("/a folder/论点".as_ref());
    Foreign::create(entry, &setup, Arc::new(|_, _| {}))
}

fn answer(act: &str, texts: &[&str]) -> Result<Output, ClassifierError> {
    let plugin = foreign(&json!({ "act": act }))?;
    let units: Vec<Unit<'_>> = texts.iter().map(|text| Unit { text, ..Unit::default() }).collect();
    let mut out = Output::new(texts.len(), Taxonomy::china_economy().len());
    plugin.classify(&Batch::new(&units), &mut out)?;
    Ok(out)
}

fn roles(out: &Output) -> Vec<Option<RoleScores>> {
    (0..out.rows()).map(|row| out.role(row).copied()).collect()
}

#[test]
fn scores_context_evidence_and_roles_cross_the_border_unchanged() {
    let units = [
        Unit { text: "产能过剩\0😀", prev: "前", heading: "heading", title: "题目" },
        Unit::default(),
        Unit { text: "a", ..Unit::default() },
        Unit { text: "应该", ..Unit::default() },
        Unit { text: "数据", ..Unit::default() },
    ];
    let taxonomy = Taxonomy::china_economy();
    for batch in [Batch::new(&units), Batch::new(&units).without_evidence(), Batch::new(&[])] {
        let (mut here, mut there) =
            (Output::new(batch.len(), taxonomy.len()), Output::new(batch.len(), taxonomy.len()));
        Actor::create(&Setup::new(&taxonomy, &Value::Null)).unwrap().classify(&batch, &mut here).unwrap();
        foreign(&Value::Null).unwrap().classify(&batch, &mut there).unwrap();
        let bits = |o: &Output| o.scores().iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&here), bits(&there));
        assert_eq!(here.evidence, there.evidence);
        assert_eq!(there.evidence.is_empty(), !batch.evidence || batch.is_empty());
        assert_eq!(roles(&here), roles(&there));
        let likeliest: Vec<Role> = roles(&there).iter().flatten().map(Role::likeliest).collect();
        assert_eq!(likeliest, if batch.is_empty() { vec![] } else { vec![Role::Remedy, Role::Explanation] });
    }
    let texts = ["甲", "乙", "", "应该", "丙丁", "数据"];
    Bench::with_settings(json!({ "act": "fail" })).assert_conforms::<Actor>(&texts);
}

#[test]
#[should_panic(expected = "role of paragraph 1, in a batch and on its own")]
fn roles_that_depend_on_the_batch_do_not_conform() {
    Bench::with_settings(json!({ "act": "role by batch" })).assert_conforms::<Actor>(&["好", "毒"]);
}

#[test]
fn thresholds_and_the_folder_cross_the_border() {
    let plugin = foreign(&Value::Null).unwrap();
    let thresholds = plugin.own_thresholds().unwrap();
    assert_eq!((thresholds.of("overcapacity"), thresholds.of("other")), (0.25, 0.75));
    assert_eq!(thresholds.origin, "chosen by hand");
    assert_eq!(answer("dir", &["毒"]).unwrap_err(), ClassifierError::Failed("/a folder/论点".into()));
}

#[test]
fn errors_keep_their_sort_and_panics_stop_at_the_border() {
    let make = |act: &str| foreign(&json!({ "act": act })).map(|_| ()).unwrap_err();
    assert_eq!(make("bad settings"), ClassifierError::Config("no such act".into()));
    assert_eq!(make("no model"), ClassifierError::Model("model.bin is missing".into()));
    assert_eq!(make("panic in create"), ClassifierError::Failed("panicked: in create".into()));
    assert_eq!(answer("panic", &["好", "毒"]).unwrap_err(), ClassifierError::Failed("panicked: on paragraph 1".into()));
    assert!(answer("replace", &["毒"]).unwrap_err().to_string().contains("another size"));
}

#[test]
fn a_wrong_row_fails_alone() {
    let out = answer("fail", &["好", "毒药"]).unwrap();
    // Control characters of a plugin's message must not reach a terminal.
    assert_eq!(out.failures, [Failure { row: 1, reason: "poisoned  [31m".into() }]);
    for (act, reason) in [
        ("infinite", "outside [0, 1]"),
        ("inside a character", "inside a character"),
        ("no such thesis", "thesis 999 of 22"),
        ("role of sum 2", "4 numbers in [0, 1] of sum 1"),
    ] {
        let out = answer(act, &["好", "毒药", "好的"]).unwrap();
        assert_eq!([out.row(0)[1], out.row(2)[1]], [0.01, 0.02], "{act}");
        assert!(out.row(1).iter().all(|s| s.is_nan()), "{act}");
        assert_eq!(out.evidence.iter().map(|e| e.row).collect::<Vec<_>>(), [0, 2], "{act}");
        assert_eq!(roles(&out), [Some(ROLE_WORDS[2].1), None, Some(ROLE_WORDS[2].1)], "{act}");
        assert_eq!(out.failures.len(), 1, "{act}");
        assert!(out.failures[0].reason.contains(reason), "{act}: {}", out.failures[0].reason);
    }
    assert!(answer("no such row", &["毒"]).unwrap_err().to_string().contains("evidence for paragraph 999"));
}

#[test]
fn cancelling_reaches_the_plugin() {
    let plugin = foreign(&json!({ "act": "wait" })).unwrap();
    let units = [Unit { text: "毒", ..Unit::default() }];
    let cancel = Cancel::default();
    let batch = Batch::new(&units).with_cancel(cancel.clone());
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| plugin.classify(&batch, &mut Output::new(1, 22)));
        cancel.cancel();
        waiting.join().unwrap()
    });
    assert_eq!(answer, Err(ClassifierError::Cancelled));
}

#[test]
fn every_wrong_entry_has_its_own_error() {
    let check = |spoil: &dyn Fn(&mut abi::LundianEntry)| {
        let mut entry = entry::<Actor>("");
        spoil(&mut entry);
        // SAFETY: whatever is spoilt, the struct is all there.
        unsafe { Entry::check(&entry) }.map(|entry| entry.minor()).map_err(|e| (e.to_string(), e))
    };
    let error = |spoil: &dyn Fn(&mut abi::LundianEntry)| check(spoil).unwrap_err().1;
    assert_eq!(error(&|e| e.magic = 7), EntryError::Magic { found: 7 });
    assert_eq!(error(&|e| e.abi_major = 2), EntryError::Major { found: 2 });
    assert_eq!(error(&|e| e.struct_size = 16), EntryError::Size { found: 16 });
    assert_eq!(error(&|e| e.create = None), EntryError::Function("create"));
    assert_eq!(error(&|e| e.manifest = abi::LundianStr { data: b"\xff".as_ptr(), len: 1 }), EntryError::Manifest);
    // SAFETY: null is what is asked about.
    assert_eq!(unsafe { Entry::check(std::ptr::null()) }.map(|_| ()), Err(EntryError::Null));
    // A plugin built for a later minor, with a longer entry, is welcome, and so is one of the first.
    assert_eq!(check(&|e| (e.abi_minor, e.struct_size) = (9, e.struct_size + 64)).unwrap(), 9);
    assert_eq!(check(&|e| (e.abi_minor, e.struct_size) = (0, abi::ENTRY_SIZE_1_0)).unwrap(), 0);
}

/// A plugin in C can do what no Rust plugin can; here it is played by bare functions.
mod rude {
    use std::ffi::c_void;

    use super::*;

    unsafe extern "C" fn create(
        host: *const abi::LundianHost,
        _: *const abi::LundianTaxonomy,
        _: abi::LundianStr,
        _: abi::LundianStr,
    ) -> *mut c_void {
        // SAFETY: the host is the one of this call.
        unsafe {
            ((*host).log)((*host).context, abi::LOG_WARN, abi::LundianStr::new("hello\nthere"));
            // There are no paragraphs yet.
            ((*host).role)((*host).context, 0, [1.0, 0.0, 0.0, 0.0].as_ptr());
        }
        host.cast_mut().cast()
    }

    unsafe extern "C" fn destroy(_: *mut c_void) {}

    unsafe extern "C" fn too_many_rows(
        _: *mut c_void,
        _: *const abi::LundianHost,
        batch: *const abi::LundianBatch,
        scores: *mut f32,
    ) -> i32 {
        // SAFETY: one row too many stays within the guard behind the matrix.
        unsafe { std::slice::from_raw_parts_mut(scores, ((*batch).text.len + 1) * 22).fill(0.5) };
        abi::STATUS_OK
    }

    unsafe extern "C" fn evidence_without_end(
        _: *mut c_void,
        host: *const abi::LundianHost,
        _: *const abi::LundianBatch,
        _: *mut f32,
    ) -> i32 {
        for _ in 0..100_000 {
            // SAFETY: the host is the one of this call.
            unsafe { ((*host).evidence)((*host).context, 0, 0, 0, 1, 1.0) };
        }
        abi::STATUS_OK
    }

    unsafe extern "C" fn roles(
        _: *mut c_void,
        host: *const abi::LundianHost,
        _: *const abi::LundianBatch,
        _: *mut f32,
    ) -> i32 {
        let [first, second] = [[1.0_f32, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let mut odd = [0_u8; 17];
        for (place, byte) in odd[1..].iter_mut().zip(second.iter().flat_map(|s| s.to_ne_bytes())) {
            *place = byte;
        }
        // SAFETY: the host is the one of this call.
        unsafe {
            let (role, context) = ((*host).role, (*host).context);
            role(context, 0, first.as_ptr());
            role(context, 0, second.as_ptr());
            role(context, 0, std::ptr::null());
            role(context, 1, odd[1..].as_ptr().cast());
            role(context, 2, first.as_ptr());
            ((*host).fail_row)(context, 2, abi::LundianStr::EMPTY);
            role(context, 2, first.as_ptr());
        }
        abi::STATUS_OK
    }

    unsafe extern "C" fn role_of_no_row(
        _: *mut c_void,
        host: *const abi::LundianHost,
        batch: *const abi::LundianBatch,
        _: *mut f32,
    ) -> i32 {
        // SAFETY: the host and the batch are those of this call.
        unsafe { ((*host).role)((*host).context, (*batch).text.len, [1.0, 0.0, 0.0, 0.0].as_ptr()) };
        abi::STATUS_OK
    }

    unsafe extern "C" fn no_reason(
        _: *mut c_void,
        _: *const abi::LundianHost,
        _: *const abi::LundianBatch,
        _: *mut f32,
    ) -> i32 {
        77
    }

    fn entry(classify: abi::ClassifyFn) -> Entry {
        let entry = abi::LundianEntry {
            create: Some(create),
            classify: Some(classify),
            destroy: Some(destroy),
            extension: None,
            ..super::entry::<Actor>("")
        };
        // SAFETY: the entry is made of this program's functions.
        unsafe { Entry::check(&entry) }.unwrap()
    }

    #[test]
    fn overruns_and_silence_are_errors_and_log_lines_are_passed_on() {
        let taxonomy = Taxonomy::china_economy();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = {
            let lines = Arc::clone(&lines);
            Arc::new(move |level: Level, line: &str| lines.lock().unwrap().push((level, line.to_owned())))
        };
        let classify = |f| {
            let plugin = Foreign::create(entry(f), &Setup::new(&taxonomy, &Value::Null), log.clone()).unwrap();
            assert_eq!(plugin.own_thresholds(), None);
            plugin.classify(&Batch::new(&[Unit::default()]), &mut Output::new(1, 22)).unwrap_err().to_string()
        };
        assert!(classify(too_many_rows).contains("too many rows"));
        assert!(classify(evidence_without_end).contains("more pieces of evidence"));
        assert!(classify(role_of_no_row).contains("gave a role to paragraph 1 of a batch of 1"));
        assert!(classify(no_reason).contains("did not say why"));
        assert_eq!(lines.lock().unwrap()[0], (Level::Warn, "hello there".to_owned()));
    }

    #[test]
    fn the_last_role_counts_and_failed_paragraphs_have_none() {
        let taxonomy = Taxonomy::china_economy();
        let setup = Setup::new(&taxonomy, &Value::Null);
        let plugin = Foreign::create(entry(roles), &setup, Arc::new(|_, _| {})).unwrap();
        let mut out = Output::new(4, 22);
        plugin.classify(&Batch::new(&[Unit::default(); 4]), &mut out).unwrap();
        let remedy = Some([0.0, 0.0, 1.0, 0.0]);
        assert_eq!(super::roles(&out), [remedy, remedy, None, None]);
        assert_eq!(out.failures.iter().map(|f| f.row).collect::<Vec<_>>(), [2]);
    }
}

/// A host of ABI 1.0, whose [`abi::LundianHost`] ends at `cancelled`.
mod old_host {
    use std::cell::RefCell;
    use std::ffi::c_void;

    use super::*;

    #[repr(C)]
    struct Host1_0 {
        struct_size: u32,
        reserved: u32,
        context: *mut c_void,
        evidence: unsafe extern "C" fn(*mut c_void, usize, usize, usize, usize, f32),
        fail_row: unsafe extern "C" fn(*mut c_void, usize, abi::LundianStr),
        error: unsafe extern "C" fn(*mut c_void, i32, abi::LundianStr),
        log: unsafe extern "C" fn(*mut c_void, u32, abi::LundianStr),
        cancelled: unsafe extern "C" fn(*mut c_void) -> u32,
    }

    /// The old host, and what happens to lie behind it: where a new one has `role`.
    #[repr(C)]
    struct Memory {
        host: Host1_0,
        behind: unsafe extern "C" fn(*mut c_void, usize, *const f32),
    }

    #[derive(Default)]
    struct Seen {
        evidence: usize,
        errors: Vec<i32>,
        behind: usize,
    }

    fn seen(context: *mut c_void, note: impl FnOnce(&mut Seen)) {
        // SAFETY: the context is the one of `old_host` below, for as long as the plugin is asked.
        note(&mut unsafe { &*context.cast::<RefCell<Seen>>() }.borrow_mut());
    }

    unsafe extern "C" fn evidence(context: *mut c_void, _: usize, _: usize, _: usize, _: usize, _: f32) {
        seen(context, |s| s.evidence += 1);
    }
    unsafe extern "C" fn fail_row(_: *mut c_void, _: usize, _: abi::LundianStr) {}
    unsafe extern "C" fn error(context: *mut c_void, status: i32, _: abi::LundianStr) {
        seen(context, |s| s.errors.push(status));
    }
    unsafe extern "C" fn log(_: *mut c_void, _: u32, _: abi::LundianStr) {}
    unsafe extern "C" fn cancelled(_: *mut c_void) -> u32 {
        0
    }
    unsafe extern "C" fn behind(context: *mut c_void, _: usize, _: *const f32) {
        seen(context, |s| s.behind += 1);
    }

    #[test]
    fn a_new_plugin_says_to_an_old_host_what_that_knows() {
        let context = RefCell::<Seen>::default();
        let host = Host1_0 {
            struct_size: size_of::<Host1_0>() as u32,
            reserved: 0,
            context: (&raw const context).cast_mut().cast(),
            evidence,
            fail_row,
            error,
            log,
            cancelled,
        };
        let memory = Memory { host, behind };
        let host: *const abi::LundianHost = (&raw const memory).cast();
        let (taxonomy, entry) = (Taxonomy::china_economy(), super::entry::<Actor>(""));
        let json = taxonomy.to_json();
        let (said, none) = ("应该", "");
        let offsets = [said, none].map(|text| [0, text.len() as i64]);
        let [said, none] = [(said, &offsets[0]), (none, &offsets[1])].map(|(text, offsets)| abi::LundianStrings {
            len: 1,
            offsets: offsets.as_ptr(),
            data: text.as_ptr(),
        });
        let taxonomy = abi::LundianTaxonomy {
            struct_size: size_of::<abi::LundianTaxonomy>() as u32,
            reserved: 0,
            slugs: none,
            json: abi::LundianStr::new(&json),
        };
        let batch = abi::LundianBatch {
            struct_size: size_of::<abi::LundianBatch>() as u32,
            flags: abi::BATCH_EVIDENCE,
            text: said,
            prev: none,
            heading: none,
            title: none,
        };
        let mut scores = [f32::NAN; 22];
        let create = |settings: &'static str| {
            let (settings, dir) = (abi::LundianStr::new(settings), abi::LundianStr::EMPTY);
            // SAFETY: everything that is passed lives until the call returns.
            unsafe { entry.create.unwrap()(host, &taxonomy, settings, dir) }
        };
        assert!(create(r#"{"act": "no model"}"#).is_null());
        let instance = create("{}");
        // SAFETY: as above; the instance is made, and destroyed once.
        let status = unsafe {
            let status = entry.classify.unwrap()(instance, host, &batch, scores.as_mut_ptr());
            entry.destroy.unwrap()(instance);
            status
        };
        assert_eq!((status, scores[1]), (abi::STATUS_OK, 0.02));
        let seen = context.take();
        assert_eq!((seen.evidence, seen.errors, seen.behind), (1, vec![abi::STATUS_MODEL], 0));
        // The same plugin gives a role to a host that reaches further.
        assert_eq!(roles(&answer("fail", &["应该"]).unwrap()), [Some(ROLE_WORDS[0].1)]);
    }
}

#[test]
fn evidence_stays_where_it_was() {
    let out = answer("fail", &["论点"]).unwrap();
    assert_eq!(out.evidence, [Evidence { row: 0, thesis: 1, range: 0..3, weight: 0.5 }]);
}
