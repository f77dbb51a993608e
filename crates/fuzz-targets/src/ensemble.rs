//! Any text as the learned parameters of aggregates.

use lundian_runner::aggregate::{AGGREGATES, Fitted, Panel};

/// Scores that systems give, with all that is special about floats.
const SCORES: [f32; 6] = [f32::NAN, 0.0, f32::MIN_POSITIVE, 0.3, 1.0 - f32::EPSILON, 1.0];

/// Whatever is accepted reads back as it was written, and combines any scores to scores.
pub fn run(data: &[u8]) {
    let Some(source) = crate::text(data) else { return };
    let Ok(fitted) = Fitted::from_toml(source) else { return };
    let written = fitted.to_toml();
    assert_eq!(Fitted::from_toml(&written).expect("own file").to_toml(), written);

    let names = fitted.panel.clone();
    let theses: Vec<String> = crate::TAXONOMY.theses().iter().map(|t| t.slug.clone()).collect();
    let thresholds = vec![vec![0.5; theses.len()]; names.len()];
    let panel = Panel { names, theses, thresholds };
    for entry in AGGREGATES {
        let Ok(aggregate) = entry.for_panel(&panel, Some(&fitted)) else { continue };
        crate::assert_scores(&aggregate.thresholds().resolve(&crate::TAXONOMY));
        for shift in 0..SCORES.len() {
            let rows: Vec<[f32; 2]> =
                (0..panel.names.len()).map(|i| [i + shift, 2 * i + shift].map(|n| SCORES[n % SCORES.len()])).collect();
            let rows: Vec<&[f32]> = rows.iter().map(<[f32; 2]>::as_slice).collect();
            crate::assert_scores(&aggregate.combine(&rows));
        }
    }
}
