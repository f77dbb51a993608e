//! Learned aggregates on made-up panels of which the truth is known.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lundian_core::{
    Batch, Classifier, ClassifierError, Kind, Label, Output, Paragraph, Sample, Stance, Taxonomy, Thresholds,
};
use lundian_runner::aggregate::cascade::{Target, stages_by_cost};
use lundian_runner::aggregate::{
    AGGREGATES, AggregateError, FitError, FitOptions, Fitted, FittedError, Measure, NOTABLE, Panel, Training,
    correlated, cross_fit, find, fit,
};
use lundian_runner::{Judge, Labelled, Options, System, Verdict, run, stages_in_words};

const N: f32 = f32::NAN;
const LEARNED: [&str; 4] = ["weighted", "stack", "dawid-skene", "cascade"];

/// A splitmix64 sequence: the same on every machine.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Samples in sections of ten, and the scores of a panel.
struct World {
    panel: Panel,
    samples: Vec<Sample>,
    scores: Vec<Vec<f32>>,
}

impl World {
    /// A system of skill `s` has the log-odds `s · (±2) + noise`; theses but the last are argued in a quarter of the
    /// paragraphs, the last in none.
    fn new(skills: &[f64], theses: usize, rows: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut samples = Vec::new();
        let mut scores = vec![Vec::new(); skills.len()];
        for row in 0..rows {
            let mut labels = Vec::new();
            for thesis in 0..theses {
                let argued = random.unit() < 0.25 && thesis + 1 < theses;
                if argued {
                    labels.push(Label { thesis, stance: Stance::Endorse, evidence: None });
                }
                for (scores, skill) in scores.iter_mut().zip(skills) {
                    let z = skill * if argued { 2.0 } else { -2.0 } + random.normal();
                    scores.push((1.0 / (1.0 + (-z).exp())) as f32);
                }
            }
            let paragraph = Paragraph { id: row.to_string(), section: format!("s{}", row / 10), ..Default::default() };
            samples.push(Sample { paragraph, labels, ..Sample::default() });
        }
        let panel = Panel {
            names: (0..skills.len()).map(|s| format!("system-{s}")).collect(),
            theses: (0..theses).map(|t| format!("thesis-{t}")).collect(),
            thresholds: vec![vec![0.5; theses]; skills.len()],
        };
        Self { panel, samples, scores }
    }

    fn scores(&self) -> Vec<&[f32]> {
        self.scores.iter().map(Vec::as_slice).collect()
    }

    fn training(&self) -> Training<'_> {
        Training::new(&self.panel, &self.samples, &self.scores()).unwrap()
    }

    fn row(&self, row: usize) -> Vec<&[f32]> {
        let theses = self.panel.theses.len();
        self.scores.iter().map(|s| &s[row * theses..(row + 1) * theses]).collect()
    }
}

/// The theses of a [`World`] as a taxonomy.
fn taxonomy(theses: usize) -> Taxonomy {
    let names = r#"{"zh":"x","en":"x"}"#;
    let thesis = |t| format!(r#"{{"slug":"thesis-{t}","family":"f","name":{names},"proposition":{names}}}"#);
    let theses: Vec<String> = (0..theses).map(thesis).collect();
    let family = format!(r#"{{"slug":"f","name":{names}}}"#);
    let json = format!(r#"{{"name":"made-up","version":"1","family":[{family}],"thesis":[{}]}}"#, theses.join(","));
    Taxonomy::from_json(&json).unwrap()
}

/// The last system costs ten times the others.
fn options(systems: usize) -> FitOptions {
    let mut seconds = vec![1.0; systems];
    seconds[systems - 1] = 10.0 * systems as f64;
    FitOptions { seconds, folds: 2, ..FitOptions::default() }
}

/// Fits everything that can be learned.
fn fit_all(world: &World) -> Fitted {
    let mut fitted = Fitted::new(&world.panel);
    for name in LEARNED {
        fitted.merge(fit(find(name).unwrap(), &world.training(), &options(world.scores.len())).unwrap());
    }
    fitted
}

/// The chance that a cell that is argued scores above one that is not.
fn auc(world: &World, scores: &[f32], samples: &[Sample]) -> f64 {
    let theses = world.panel.theses.len();
    let mut cells: Vec<(f32, bool)> =
        scores.iter().enumerate().map(|(i, &s)| (s, samples[i / theses].argues(i % theses))).collect();
    cells.retain(|(s, _)| !s.is_nan());
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut negatives, mut positives, mut above) = (0.0, 0.0, 0.0);
    for group in cells.chunk_by(|a, b| a.0 == b.0) {
        let yes = group.iter().filter(|(_, argued)| *argued).count() as f64;
        let no = group.len() as f64 - yes;
        above += yes * (negatives + no / 2.0);
        (positives, negatives) = (positives + yes, negatives + no);
    }
    above / (positives * negatives)
}

#[test]
fn learned_aggregates_find_the_truth_and_shuffled_labels_teach_nothing() {
    let world = World::new(&[1.0, 0.4, 0.7], 3, 600, 1);
    let mut shuffled = World::new(&[1.0, 0.4, 0.7], 3, 600, 1);
    let labels: Vec<Vec<Label>> = shuffled.samples.iter().map(|s| s.labels.clone()).collect();
    // A fixed permutation that takes every paragraph to another section.
    for (row, sample) in shuffled.samples.iter_mut().enumerate() {
        sample.labels.clone_from(&labels[(row * 7 + 211) % 600]);
    }
    for name in ["weighted", "stack", "cascade"] {
        let entry = find(name).unwrap();
        let good = cross_fit(entry, &world.training(), &options(3)).unwrap();
        let value = auc(&world, &good, &world.samples);
        assert!(value > 0.93, "{name}: {value}");
        let bad = cross_fit(entry, &shuffled.training(), &options(3)).unwrap();
        // Whatever thesis is the rarest is known from the labels' frequencies: look at one thesis alone.
        let first: Vec<f32> = bad.iter().enumerate().map(|(i, &s)| if i % 3 == 0 { s } else { N }).collect();
        let value = auc(&shuffled, &first, &shuffled.samples);
        assert!((value - 0.5).abs() < 0.08, "{name}: {value}");
    }
    let unlabelled = Training::unlabelled(&world.panel, &world.scores()).unwrap();
    let fitted = fit(find("dawid-skene").unwrap(), &unlabelled, &FitOptions::default()).unwrap();
    let aggregate = find("dawid-skene").unwrap().for_panel(&world.panel, Some(&fitted)).unwrap();
    let scores: Vec<f32> = (0..600).flat_map(|row| aggregate.combine(&world.row(row))).collect();
    let value = auc(&world, &scores, &world.samples);
    assert!(value > 0.9, "dawid-skene: {value}");
}

#[test]
fn a_stack_trusts_the_better_system_and_beats_the_mean() {
    let world = World::new(&[0.6, 0.05], 2, 500, 3);
    let of = |name| cross_fit(find(name).unwrap(), &world.training(), &options(2)).unwrap();
    let (stack, mean, weighted) = (of("stack"), of("mean"), of("weighted"));
    let [stack, mean, weighted] = [stack, mean, weighted].map(|s| auc(&world, &s, &world.samples));
    assert!(stack > mean + 0.02 && weighted > mean + 0.01, "stack {stack}, weighted {weighted}, mean {mean}");
}

#[test]
fn a_thesis_without_support_has_what_all_theses_share() {
    let world = World::new(&[1.0, 0.5], 3, 200, 5);
    let fitted = fit_all(&world);
    let mut stranger = world.panel.clone();
    stranger.theses[2] = "never-seen".to_owned();
    let stack = find("stack").unwrap();
    let combine = |panel: &Panel| stack.for_panel(panel, Some(&fitted)).unwrap().combine(&world.row(0));
    assert_eq!(combine(&world.panel)[2], combine(&stranger)[2]);
    assert_ne!(combine(&world.panel)[0], combine(&world.panel)[1]);
}

#[test]
fn abstentions_and_failures_are_no_answer_and_no_fault() {
    let mut world = World::new(&[1.0, 0.8, 0.6], 2, 200, 7);
    for (i, score) in world.scores[1].iter_mut().enumerate() {
        *score = if i % 3 == 0 { N } else { *score };
    }
    let mut fitted = fit_all(&world);
    let options = options(3);
    let file = "made-up.jsonl";
    let taxonomy = taxonomy(2);
    fitted.choose_thresholds(&world.training(), &taxonomy, &options, lundian_eval::Objective::MacroF1, file).unwrap();
    for entry in AGGREGATES {
        let aggregate = entry.for_panel(&world.panel, Some(&fitted)).unwrap();
        let none: [f32; 2] = [N, N];
        assert!(aggregate.combine(&[&none, &none, &none]).iter().all(|s| s.is_nan()), "{}", entry.name);
        for some in [[0.9, N], [0.0, 1.0]] {
            let combined = aggregate.combine(&[&none, &some, &none]);
            for (combined, some) in combined.iter().zip(some) {
                assert_eq!(combined.is_nan(), some.is_nan(), "{}", entry.name);
                assert!(combined.is_nan() || (0.0..=1.0).contains(combined), "{}: {combined}", entry.name);
            }
        }
        let thresholds = aggregate.thresholds();
        assert!(thresholds.origin.contains(file), "{}: {}", entry.name, thresholds.origin);
        assert_eq!(thresholds.origin.contains("cross-fitted"), entry.is_learned());
    }
}

#[test]
fn one_system_is_a_panel() {
    let world = World::new(&[1.0], 2, 300, 9);
    for name in ["weighted", "stack", "dawid-skene"] {
        let entry = find(name).unwrap();
        let fitted = fit(entry, &world.training(), &FitOptions::default()).unwrap();
        let aggregate = entry.for_panel(&world.panel, Some(&fitted)).unwrap();
        let scores: Vec<f32> = [0.02, 0.3, 0.6, 0.98].iter().map(|&s| aggregate.combine(&[&[s, s]])[0]).collect();
        assert!(scores.is_sorted() && scores[0] < scores[3], "{name}: {scores:?}");
    }
    let cascade =
        fit(find("cascade").unwrap(), &world.training(), &FitOptions { seconds: vec![1.0], ..Default::default() });
    assert!(matches!(cascade, Err(FitError::OneStage(_))));
}

#[test]
fn a_file_says_all_and_fits_its_panel_in_any_order() {
    let world = World::new(&[1.0, 0.7, 0.4], 3, 200, 11);
    let fitted = fit_all(&world);
    assert_eq!(fitted, fit_all(&world), "the same samples must give the same parameters");
    let toml = fitted.to_toml();
    let read = Fitted::from_toml(&toml).unwrap_or_else(|e| panic!("{e}\n{toml}"));
    assert_eq!(read.to_toml(), toml);
    assert_eq!(read.methods(), LEARNED);

    let (order, mut turned) = ([2, 0, 1], world.panel.clone());
    turned.names = order.map(|i| world.panel.names[i].clone()).to_vec();
    for name in LEARNED {
        let entry = find(name).unwrap();
        let straight = entry.for_panel(&world.panel, Some(&fitted)).unwrap();
        let turned = entry.for_panel(&turned, Some(&read)).unwrap();
        for row in 0..50 {
            let scores = world.row(row);
            let in_order: Vec<&[f32]> = order.iter().map(|&i| scores[i]).collect();
            for (a, b) in straight.combine(&scores).iter().zip(turned.combine(&in_order)) {
                assert!((a - b).abs() < 1e-6, "{name}: {a} {b}");
            }
        }
    }
}

#[test]
fn what_is_wrong_with_a_file_or_a_panel_is_said() {
    let world = World::new(&[1.0, 0.7], 2, 200, 13);
    let fitted = fit_all(&world);
    let other = World::new(&[1.0, 0.7, 0.3], 2, 20, 13);
    for name in LEARNED {
        let entry = find(name).unwrap();
        let none = entry.for_panel(&world.panel, None).err().unwrap();
        assert!(
            matches!(none, AggregateError::NotFitted { .. }) && none.to_string().contains("lundian train ensemble")
        );
        let wrong = entry.for_panel(&other.panel, Some(&fitted)).err().unwrap();
        assert!(matches!(wrong, AggregateError::OtherPanel { .. }) && wrong.to_string().contains("system-2"));
    }
    let toml = fitted.to_toml();
    let broken = |from: &str, to: &str| {
        assert!(toml.contains(from), "{toml}");
        Fitted::from_toml(&toml.replacen(from, to, 1)).unwrap_err()
    };
    assert_eq!(broken("format = 1", "format = 9"), FittedError::Format(9));
    assert!(matches!(broken("format = 1", "format = 1\nfoo = 2"), FittedError::Toml(m) if m.contains("line")));
    assert!(matches!(broken("slope = [", "slope = [1.0, "), FittedError::Parameters { method: "stack", .. }));
    assert!(matches!(broken("sensitivity = [", "sensitivity = [3.0, "), FittedError::Parameters { .. }));

    assert!(matches!(
        Training::new(&world.panel, &other.samples, &other.scores()),
        Err(FitError::Systems { matrices: 3, systems: 2 })
    ));
    let short = &world.scores[0][..10];
    assert!(matches!(
        Training::new(&world.panel, &world.samples, &[short, short]),
        Err(FitError::Shape { expected: 400, .. })
    ));
    let wild = vec![1.5; 400];
    assert!(matches!(
        Training::new(&world.panel, &world.samples, &[&world.scores[0], &wild]),
        Err(FitError::Score { row: 0, .. })
    ));
    let silent = vec![Sample::default(); 200];
    assert!(matches!(Training::new(&world.panel, &silent, &world.scores()), Err(FitError::NoLabels(200))));
    let unlabelled = Training::unlabelled(&world.panel, &world.scores()).unwrap();
    assert!(matches!(fit(find("stack").unwrap(), &unlabelled, &options(2)), Err(FitError::Unlabelled(_))));
    let many = FitOptions { folds: 21, ..options(2) };
    assert_eq!(
        fit(find("stack").unwrap(), &world.training(), &many),
        Err(FitError::Clusters { folds: 21, clusters: 20 })
    );
    assert!(matches!(fit(find("mean").unwrap(), &world.training(), &many), Err(FitError::NotLearned("mean"))));
}

#[test]
fn systems_that_err_together_are_found_with_and_without_labels() {
    let mut world = World::new(&[0.7, 0.7, 0.8, 0.6, 0.9], 4, 1500, 17);
    // System 1 says what system 0 says, with a little noise of its own.
    let mut random = Random(5);
    world.scores[1] = world.scores[0].iter().map(|&s| if random.unit() < 0.1 { 1.0 - s } else { s }).collect();
    let unlabelled = Training::unlabelled(&world.panel, &world.scores()).unwrap();
    for (training, by) in [(world.training(), Measure::Errors), (unlabelled, Measure::Agreement)] {
        let found = correlated(&training);
        assert_eq!(found.len(), 10);
        assert_eq!((found[0].a.as_str(), found[0].b.as_str(), found[0].by), ("system-0", "system-1", by));
        assert!(found[0].is_notable(), "{found:?}");
        assert!(found[0].sentence().contains("err together"));
        assert!(found[1..].iter().all(|c| c.value < NOTABLE / 1.5), "{by:?}: {found:?}");
    }
    let few = World::new(&[0.7, 0.7, 0.8], 2, 100, 19);
    assert!(correlated(&Training::unlabelled(&few.panel, &few.scores()).unwrap()).is_empty());
}

#[test]
fn stages_follow_the_cost() {
    assert_eq!(stages_by_cost(&[50.0, 1.0, 2.0]), [vec![1, 2], vec![0]]);
    assert_eq!(stages_by_cost(&[1.0, 10.0, 100.0]), [[0], [1], [2]]);
    assert_eq!(stages_by_cost(&[1.0, 1.0]), [[0, 1]]);
    assert_eq!(stages_by_cost(&[0.0, 0.0]), [[0, 1]]);
    // Between systems that cost next to nothing beside the last there is nothing to spare.
    assert_eq!(stages_by_cost(&[1.0, 10.0, 1000.0]), [vec![0, 1], vec![2]]);
}

#[test]
fn a_cascade_keeps_to_its_target() {
    let world = World::new(&[0.7, 1.3], 2, 400, 23);
    let cascade = |target| {
        let options = FitOptions { seconds: vec![1.0, 19.0], target, folds: 3 };
        let toml = fit(find("cascade").unwrap(), &world.training(), &options).unwrap().to_toml();
        let table: toml::Table = toml::from_str(&toml).unwrap();
        let expected = table["cascade"]["expected"].clone();
        let of = |key: &str| expected[key].as_float().unwrap();
        let loss = (of("full_macro_f1") - of("macro_f1")).max(of("full_micro_f1") - of("micro_f1"));
        (of("cost"), loss, expected["reached"][1].as_float().unwrap())
    };
    let (cost, loss, reached) = cascade(Target::Loss(0.01));
    assert!(loss <= 0.0101 && cost < 0.9, "loss {loss}, cost {cost}");
    assert!((cost - (0.05 + 0.95 * reached)).abs() < 1e-3);
    let (dear, precise, _) = cascade(Target::Loss(0.0));
    assert!(precise <= 1e-4 && dear >= cost, "loss {precise}, cost {dear}");
    let (cost, ..) = cascade(Target::Cost(0.3));
    assert!(cost <= 0.3, "cost {cost}");
    let (least, ..) = cascade(Target::Cost(1e-3));
    assert_eq!(least, 0.05, "what cannot be had comes as near as can be");
    let wrong = FitOptions { seconds: vec![1.0, 19.0], target: Target::Cost(0.0), ..FitOptions::default() };
    assert!(matches!(fit(find("cascade").unwrap(), &world.training(), &wrong), Err(FitError::Target(_))));
    let wrong = FitOptions { seconds: vec![1.0], ..FitOptions::default() };
    assert!(matches!(fit(find("cascade").unwrap(), &world.training(), &wrong), Err(FitError::Costs { .. })));
}

#[test]
fn a_band_is_tuned_for_another_target_and_its_stages_stay() {
    let theses = 2;
    let (world, other) = (World::new(&[0.7, 1.3], theses, 400, 23), World::new(&[0.7, 1.3], theses, 300, 31));
    let options = FitOptions { seconds: vec![1.0, 19.0], folds: 3, ..FitOptions::default() };
    let fitted = fit(find("cascade").unwrap(), &world.training(), &options).unwrap();
    let taxonomy = taxonomy(theses);
    let tune = |target, seconds: Option<&[f64]>, training: &Training<'_>| {
        let mut tuned = fitted.clone();
        let objective = lundian_eval::Objective::MacroF1;
        tuned.tune_cascade(training, &taxonomy, target, seconds, objective, "other.jsonl").map(|()| tuned)
    };
    let mut costs = Vec::new();
    for target in [Target::Loss(0.0), Target::Loss(0.05), Target::Cost(0.2)] {
        let tuned = tune(Some(target), None, &other.training()).unwrap();
        let (aim, expected, stages) = tuned.cascade().unwrap();
        assert_eq!((aim, expected.meets(target)), (target, true), "{expected}");
        assert_eq!(stages, fitted.cascade().unwrap().2);
        assert!(tuned.thresholds["cascade"].origin.contains("other.jsonl"));
        costs.push(expected.cost);

        // The figures are those that a run gives, by the threshold and the band alone.
        let band = tuned.cascade_band().unwrap();
        let mut again = fitted.clone().with_cascade_band(band).unwrap();
        again.thresholds.clone_from(&tuned.thresholds);
        let cascade = find("cascade").unwrap().for_panel(&other.panel, Some(&again)).unwrap();
        let (threshold, gate) = (cascade.thresholds().global, cascade.gate().unwrap());
        let (mut right, mut given, mut argued, mut on) = (0, 0, 0, 0);
        for (row, sample) in other.samples.iter().enumerate() {
            let scores = other.row(row);
            on += usize::from(gate.depth(&scores) == 2);
            for (thesis, score) in cascade.combine(&scores).into_iter().enumerate() {
                let (yes, is) = (score >= threshold, sample.argues(thesis));
                (right, given, argued) = (right + i32::from(yes && is), given + i32::from(yes), argued + i32::from(is));
            }
        }
        let micro = 2.0 * f64::from(right) / f64::from(given + argued);
        assert!((micro - expected.micro_f1).abs() < 1e-4, "{micro} {expected}");
        assert!((on as f64 / 300.0 - expected.reached[1]).abs() < 1e-4, "{on} {expected}");
    }
    assert!(costs[0] > costs[1] && costs[1] > 0.05 && costs[2] <= 0.2, "{costs:?}");

    let unmet = tune(Some(Target::Cost(0.01)), None, &other.training()).unwrap();
    let (target, expected, _) = unmet.cascade().unwrap();
    assert!(!expected.meets(target) && expected.cost == 0.05, "{expected}");
    let dear = tune(Some(Target::Cost(0.3)), Some(&[1.0, 1.0]), &other.training()).unwrap();
    assert_eq!(dear.cascade().unwrap().1.cost, 0.5, "the seconds given count");
    assert!(matches!(tune(None, Some(&[1.0, f64::NAN]), &other.training()), Err(FitError::Costs { .. })));
    assert!(matches!(tune(None, Some(&[1.0]), &other.training()), Err(FitError::Costs { costs: 1, systems: 2 })));
    let stranger = World::new(&[1.0, 1.0, 1.0], theses, 20, 1);
    assert!(matches!(tune(None, None, &stranger.training()), Err(FitError::NoCascade)));
    let wrong = fitted.clone().with_cascade_band([0.6, 0.4]).unwrap_err();
    assert!(matches!(wrong, FittedError::Parameters { method: "cascade", .. }));
    let idle = fitted.to_toml() + "\n[[cascade.stages]]\nsystems = []\nseconds = 1.0\nshift = 0.0\n";
    assert!(matches!(Fitted::from_toml(&idle), Err(FittedError::Parameters { method: "cascade", .. })));
    let stored = fitted.to_toml();
    for seconds in ["nan", "inf", "-1.0"] {
        let wrong = stored.replace("seconds = 19.0", &format!("seconds = {seconds}"));
        assert_ne!(wrong, stored);
        let Err(FittedError::Parameters { method: "cascade", fault }) = Fitted::from_toml(&wrong) else {
            panic!("{seconds} seconds");
        };
        assert!(fault.contains("seconds"), "{fault}");
    }
    // The last stage has nothing to be shifted to.
    let wrong = stored.replace("shift = 0.0", "shift = inf");
    assert_eq!(stored.matches("shift = ").count(), 2);
    assert_ne!(wrong, stored);
    assert!(matches!(Fitted::from_toml(&wrong), Err(FittedError::Parameters { method: "cascade", .. })));
}

#[test]
fn where_the_cheap_system_is_silent_the_dear_one_can_still_be_asked() {
    let mut world = World::new(&[0.7, 1.3], 2, 300, 43);
    world.scores[0].fill(0.0);
    let options = FitOptions { seconds: vec![1.0, 19.0], target: Target::Loss(0.0), folds: 3 };
    let fitted = fit(find("cascade").unwrap(), &world.training(), &options).unwrap();
    let (target, expected, _) = fitted.cascade().unwrap();
    assert!(expected.meets(target) && expected.reached[1] > 0.5, "{expected}");
}

#[test]
fn where_the_cheap_system_is_certain_the_dear_one_can_still_be_asked() {
    let mut world = World::new(&[0.7, 1.3], 2, 300, 43);
    world.scores[0].fill(1.0);
    let options = FitOptions { seconds: vec![1.0, 19.0], target: Target::Loss(0.0), folds: 3 };
    let fitted = fit(find("cascade").unwrap(), &world.training(), &options).unwrap();
    let (target, expected, _) = fitted.cascade().unwrap();
    assert!(expected.meets(target) && expected.reached[1] == 1.0, "{expected}");
    // A run asks about the same paragraphs.
    let cascade = find("cascade").unwrap().for_panel(&world.panel, Some(&fitted)).unwrap();
    assert_eq!(cascade.gate().unwrap().depth(&world.row(0)), 2);
}

#[test]
fn the_stages_of_a_cascade_are_written_down_and_read() {
    let world = World::new(&[0.7, 0.0, 1.0], 2, 300, 37);
    let options = FitOptions { seconds: vec![1.0, 1.0, 50.0], ..FitOptions::default() };
    let fitted = fit(find("cascade").unwrap(), &world.training(), &options).unwrap();
    assert_eq!(fitted.cascade().unwrap().2, "system-0, system-1, then system-2");
    assert_eq!(Fitted::from_toml(&fitted.to_toml()).unwrap(), fitted);
}

/// Answers with the scores of a made-up system; the paragraph's text is its row. Counts what it is asked.
struct Replay {
    scores: Vec<f32>,
    theses: usize,
    asked: AtomicUsize,
    fails: bool,
    /// Time that it takes for a paragraph.
    pause: Duration,
}

impl Classifier for Replay {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        self.asked.fetch_add(batch.len(), Ordering::Relaxed);
        std::thread::sleep(self.pause * batch.len() as u32);
        for (i, unit) in batch.units.iter().enumerate() {
            let row: usize = unit.text.parse().unwrap();
            if self.fails && row.is_multiple_of(5) {
                out.fail(i, "as told");
            } else {
                out.row_mut(i).copy_from_slice(&self.scores[row * self.theses..(row + 1) * self.theses]);
            }
        }
        Ok(())
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds::uniform(0.5)
    }
}

#[test]
fn a_run_with_a_cascade_spares_systems_and_changes_nothing() {
    let theses = 3;
    let taxonomy = taxonomy(theses);
    let world = World::new(&[1.2, 1.6], theses, 900, 29);
    let options = FitOptions { seconds: vec![1.0, 50.0], target: Target::Loss(0.0), folds: 2 };
    let fitted = fit(find("cascade").unwrap(), &world.training(), &options).unwrap();

    for fails in [false, true] {
        let replays: Vec<Arc<Replay>> = (0..2)
            .map(|s| {
                let scores = world.scores[s].clone();
                let (asked, pause) = (AtomicUsize::new(0), Duration::ZERO);
                Arc::new(Replay { scores, theses, asked, fails: fails && s == 0, pause })
            })
            .collect();
        let systems: Vec<System> = replays
            .iter()
            .enumerate()
            .map(|(s, r)| System::new(format!("system-{s}"), Kind::Plugin, r.clone()))
            .collect();
        let judge = Judge::new(&systems, find("cascade").unwrap(), Some(&fitted), &taxonomy, None).unwrap();
        let judge = Arc::new(judge);
        let all = |judge, threads| {
            let run_options = Options { threads, judge, ..Options::default() };
            let paragraphs = (0..900).map(|i| Paragraph { text: i.to_string(), ..Paragraph::default() });
            let mut rows: Vec<Labelled> = Vec::new();
            let summary = run(paragraphs, &systems, &taxonomy, &run_options, |row| {
                rows.push(row);
                Ok::<_, ()>(())
            });
            (rows, summary.unwrap())
        };
        let (full, summary) = all(None, 2);
        assert_eq!((summary.stages.len(), summary.stages[0].paragraphs), (1, 900));
        assert_eq!(stages_in_words(&summary.stages, &systems), None);
        assert_eq!(replays[1].asked.swap(0, Ordering::Relaxed), 900);
        let (spared, summary) = all(Some(Arc::clone(&judge)), 3);
        let asked = replays[1].asked.load(Ordering::Relaxed);
        assert!(asked > 0 && asked < 800, "{asked}");
        assert_eq!(summary.stages.iter().map(|s| s.paragraphs).collect::<Vec<_>>(), [900, asked]);
        let words = stages_in_words(&summary.stages, &systems).unwrap();
        assert!(words.starts_with("stage 1 (system-0): 900 paragraphs (100 %), "), "{words}");
        assert!(words.contains(&format!("; stage 2 (system-1): {asked} paragraphs (")), "{words}");
        let gate = judge.gate().unwrap();
        let depth = |row: &Labelled| gate.depth(&row.verdicts.iter().map(|v| v.scores.as_slice()).collect::<Vec<_>>());
        assert_eq!(full.iter().filter(|row| depth(row) == 2).count(), asked, "what all scores tell is what was run");
        assert_eq!((summary.systems[1].judged, summary.systems[1].spared), (asked, 900 - asked));
        assert_eq!(summary.systems[0].failed, if fails { 180 } else { 0 });
        for (i, (full, spared)) in full.iter().zip(&spared).enumerate() {
            assert_eq!(spared.paragraph.text, i.to_string());
            let same = judge.scores(full).iter().zip(judge.scores(spared)).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "paragraph {i}");
            let verdict: &Verdict = &spared.verdicts[1];
            assert!(!(verdict.spared && fails && i % 5 == 0), "where the first has failed the second must be asked");
            assert_eq!(verdict.spared, verdict.scores.iter().all(|s| s.is_nan()));
        }
    }
}

#[test]
fn a_slow_system_is_found_by_its_measured_time_and_spared() {
    let (theses, rows) = (3, 300);
    let taxonomy = taxonomy(theses);
    let world = World::new(&[0.8, 0.8, 2.0], theses, rows, 41);
    let systems: Vec<System> = (0..3)
        .map(|s| {
            let pause = Duration::from_millis(if s == 2 { 4 } else { 0 });
            let (scores, asked) = (world.scores[s].clone(), AtomicUsize::new(0));
            let replay = Replay { scores, theses, asked, fails: false, pause };
            System::new(format!("system-{s}"), Kind::Plugin, Arc::new(replay))
        })
        .collect();
    let summary = |judge| {
        let options = Options { threads: 1, evidence: false, judge, ..Options::default() };
        let paragraphs = (0..rows).map(|i| Paragraph { text: i.to_string(), ..Paragraph::default() });
        run(paragraphs, &systems, &taxonomy, &options, |_| Ok::<_, ()>(())).unwrap()
    };
    let all = summary(None);
    let seconds: Vec<f64> = all.systems.iter().map(|s| s.seconds / rows as f64).collect();
    let mut stages = stages_by_cost(&seconds);
    stages[0].sort_unstable();
    assert_eq!(stages, [vec![0, 1], vec![2]], "{seconds:?}");

    let options = FitOptions { seconds, folds: 3, target: Target::Loss(0.0) };
    let fitted = fit(find("cascade").unwrap(), &world.training(), &options).unwrap();
    let judge = Judge::new(&systems, find("cascade").unwrap(), Some(&fitted), &taxonomy, None).unwrap();
    assert_eq!(judge.origin(), "chosen with the band");
    let spared = summary(Some(Arc::new(judge)));
    let share = spared.stages[1].paragraphs as f64 / rows as f64;
    assert!(share > 0.0 && share < 0.9, "{share}");
    assert!(spared.stages[1].seconds < 0.95 * all.systems[2].seconds, "{spared:?}");
    assert_eq!(spared.stages[0].paragraphs, rows);
}
