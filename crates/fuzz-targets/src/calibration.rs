//! Any text as the weights of rule packs.

use lundian_rules::Calibration;

/// Whatever is accepted has weights that a score can be made of, and reads back as it was written.
pub fn run(data: &[u8]) {
    let Some(source) = crate::text(data) else { return };
    let Ok(calibration) = Calibration::from_toml(source) else { return };
    crate::assert_scores(&calibration.thresholds.resolve(&crate::TAXONOMY));
    let weights = calibration.weights.values().flat_map(|rules| rules.values());
    assert!(weights.into_iter().all(|w| *w > 0.0 && *w <= 1.0), "{calibration:?}");
    let written = calibration.to_toml();
    assert_eq!(Calibration::from_toml(&written).expect("own file"), calibration);
}
