//! Weights as files: safetensors, whole or in parts, memory-mapped.
//!
//! The decision that matters: what is stored small (16-bit floats, 8-bit integers) is made 32-bit floats on loading, and
//! looked at once: every number must be finite. A matrix of 8-bit integers `NAME` has one scale per row, `NAME.scale`.
//! Only safetensors are read: a pickle may run any code when it is opened.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde::Deserialize;

use crate::ModelError;

/// Name of a whole file of weights.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// Name of the list of files, where weights are in parts.
const INDEX: &str = "model.safetensors.index.json";
/// What is added to the name of a matrix of 8-bit integers for the name of its scales.
const SCALE: &str = ".scale";

/// The files of weights in the folder `dir`.
fn files(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let (whole, index) = (dir.join(WEIGHTS), dir.join(INDEX));
    if whole.is_file() {
        return Ok(vec![whole]);
    }
    if index.is_file() {
        let text = fs::read(&index).map_err(|why| ModelError::Io { path: index.clone(), why })?;
        let Index { weight_map } =
            serde_json::from_slice(&text).map_err(|e| ModelError::Weights(format!("{INDEX}: {e}")))?;
        let mut names: Vec<String> = weight_map.into_values().collect();
        names.sort_unstable();
        names.dedup();
        if let Some(name) = names.iter().find(|name| Path::new(name).components().count() != 1) {
            return Err(ModelError::Weights(format!("{INDEX}: {name:?} is not the name of a file beside it")));
        }
        return Ok(names.into_iter().map(|name| dir.join(name)).collect());
    }
    if let Some(pickle) =
        ["pytorch_model.bin", "pytorch_model.bin.index.json"].iter().find(|name| dir.join(name).is_file())
    {
        return Err(ModelError::Pickle(dir.join(pickle)));
    }
    let why = std::io::Error::new(std::io::ErrorKind::NotFound, "there are no weights in this folder");
    Err(ModelError::Io { path: whole, why })
}

/// The weights in the folder `dir`, by name, as 32-bit floats.
pub(crate) fn read(dir: &Path) -> Result<HashMap<String, Tensor>, ModelError> {
    let mut weights = HashMap::new();
    for path in files(dir)? {
        let io = |why| ModelError::Io { path: path.clone(), why };
        let file = fs::File::open(&path).map_err(io)?;
        // SAFETY: the file is only read, and only until the end of this loop. A file that another program shortens in
        // that time ends this one, as with every memory-mapped file.
        let bytes = unsafe { Mmap::map(&file) }.map_err(io)?;
        weights.extend(from_bytes(&bytes)?);
    }
    Ok(weights)
}

/// The weights in a safetensors file, by name, as 32-bit floats.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<HashMap<String, Tensor>, ModelError> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| ModelError::Weights(e.to_string()))?;
    let mut weights = HashMap::new();
    for (name, view) in file.iter() {
        if name.strip_suffix(SCALE).is_some_and(|of| file.tensor(of).is_ok_and(|v| v.dtype() == Dtype::I8)) {
            continue;
        }
        let floats = |view: &TensorView<'_>| view.load(&Device::Cpu).and_then(|t| t.to_dtype(DType::F32));
        let tensor = match view.dtype() {
            Dtype::I8 => {
                let name = format!("{name}{SCALE}");
                let scales = file.tensor(&name).map_err(|e| ModelError::Weights(format!("{name}: {e}")))?;
                dequantise(&name, &view, &floats(&scales).map_err(ModelError::weights)?)?
            }
            // Buffers such as position numbers, which are no weights.
            Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL => continue,
            _ => floats(&view).map_err(ModelError::weights)?,
        };
        check_finite(name, &tensor)?;
        weights.insert(name.to_owned(), tensor);
    }
    Ok(weights)
}

fn check_finite(name: &str, tensor: &Tensor) -> Result<(), ModelError> {
    let numbers = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).map_err(ModelError::weights)?;
    // One sum instead of a branch for each number: anything that is not finite makes 0 · x NaN.
    let zero: f32 = numbers.chunks(1024).map(|chunk| chunk.iter().map(|x| 0.0 * x).sum::<f32>()).sum();
    if zero == 0.0 { Ok(()) } else { Err(ModelError::Weights(format!("{name} has numbers that are not finite"))) }
}

fn dequantise(name: &str, view: &TensorView<'_>, scales: &Tensor) -> Result<Tensor, ModelError> {
    let wrong = |why: &str| ModelError::Weights(format!("{name}: {why}"));
    let &[rows, columns] = view.shape() else { return Err(wrong("8-bit integers must be a matrix")) };
    let scales = scales.to_vec1::<f32>().map_err(ModelError::weights)?;
    if scales.len() != rows {
        return Err(wrong(&format!("{} scales for {rows} rows", scales.len())));
    }
    let mut numbers = Vec::with_capacity(rows * columns);
    for (row, scale) in view.data().chunks_exact(columns.max(1)).zip(scales) {
        numbers.extend(row.iter().map(|&b| f32::from(b.cast_signed()) * scale));
    }
    Tensor::from_vec(numbers, (rows, columns), &Device::Cpu).map_err(ModelError::weights)
}

/// A safetensors file of `weights`, with matrices as 8-bit integers and all else as 32-bit floats. The error of a
/// matrix's number is at most 1/254 of the largest of its row.
pub(crate) fn quantise(weights: &BTreeMap<String, Tensor>) -> Result<Vec<u8>, ModelError> {
    let mut parts: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in weights {
        let numbers = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).map_err(ModelError::weights)?;
        let shape = tensor.dims().to_vec();
        if let [rows, columns] = shape[..] {
            let (mut integers, mut scales) = (Vec::with_capacity(numbers.len()), Vec::with_capacity(4 * rows));
            for row in numbers.chunks_exact(columns) {
                let scale = row.iter().fold(0f32, |most, w| most.max(w.abs())) / 127.0;
                let steps = |w: &f32| if scale > 0.0 { (w / scale).round() as i8 } else { 0 };
                integers.extend(row.iter().map(|w| steps(w).cast_unsigned()));
                scales.extend(scale.to_le_bytes());
            }
            parts.push((name.clone(), Dtype::I8, shape, integers));
            parts.push((format!("{name}{SCALE}"), Dtype::F32, vec![rows], scales));
        } else {
            let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            parts.push((name.clone(), Dtype::F32, shape, bytes));
        }
    }
    let views = parts.iter().map(|(name, dtype, shape, bytes)| {
        TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(|e| ModelError::Weights(e.to_string()))?;
    serialize(views, None).map_err(|e| ModelError::Weights(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;

    fn error(dir: &Path) -> String {
        read(dir).unwrap_err().to_string()
    }

    #[test]
    fn what_was_quantised_comes_back_to_half_a_step() {
        let dir = tempfile::tempdir().unwrap();
        let weights = tiny::weights();
        fs::write(dir.path().join(WEIGHTS), quantise(&weights).unwrap()).unwrap();
        let back = read(dir.path()).unwrap();
        assert_eq!(back.len(), weights.len());
        for (name, tensor) in &weights {
            let (wanted, found) = (tensor.flatten_all().unwrap(), back[name].flatten_all().unwrap());
            for (wanted, found) in wanted.to_vec1::<f32>().unwrap().iter().zip(found.to_vec1::<f32>().unwrap()) {
                assert!((wanted - found).abs() <= 1.6 / 253.0, "{name}: {wanted} {found}");
            }
        }
    }

    #[test]
    fn what_was_quantised_once_is_the_same_when_quantised_again() {
        // A scale times 127 is the largest number that it came from: the error of the quotient is at most half its last
        // place, 127 of which are less than half the last place of the product.
        let once = quantise(&tiny::weights()).unwrap();
        for file in [once.as_slice(), crate::BUNDLED.1[2]] {
            let again = quantise(&from_bytes(file).unwrap().into_iter().collect()).unwrap();
            let (before, after) = (SafeTensors::deserialize(file).unwrap(), SafeTensors::deserialize(&again).unwrap());
            assert_eq!(before.len(), after.len());
            for (name, view) in before.iter() {
                assert!(after.tensor(name).unwrap() == view, "{name}");
            }
        }
    }

    #[test]
    fn weights_in_parts_are_those_in_one_file() {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(whole.path());
        let weights: Vec<(String, Tensor)> = read(whole.path()).unwrap().into_iter().collect();
        let mut map = BTreeMap::new();
        for (n, chunk) in weights.chunks(weights.len().div_ceil(2)).enumerate() {
            let file = format!("model-0000{}-of-00002.safetensors", n + 1);
            map.extend(chunk.iter().map(|(name, _)| (name.clone(), file.clone())));
            let chunk: HashMap<String, Tensor> = chunk.iter().cloned().collect();
            candle_core::safetensors::save(&chunk, parts.path().join(file)).unwrap();
        }
        let index = serde_json::json!({"metadata": {}, "weight_map": map});
        fs::write(parts.path().join(INDEX), index.to_string()).unwrap();
        let together = read(parts.path()).unwrap();
        assert_eq!(together.len(), weights.len());
        for (name, tensor) in weights {
            let both = [&tensor, &together[&name]].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            assert_eq!(both[0], both[1], "{name}");
        }

        fs::remove_file(parts.path().join("model-00002-of-00002.safetensors")).unwrap();
        assert!(error(parts.path()).contains("model-00002-of-00002.safetensors"));
        fs::write(parts.path().join(INDEX), r#"{"weight_map": {"a": "../secret"}}"#).unwrap();
        assert!(error(parts.path()).contains("is not the name of a file beside it"));
    }

    #[test]
    fn damaged_weights_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        assert!(error(dir.path()).contains("there are no weights"));
        fs::write(dir.path().join("pytorch_model.bin"), b"anything").unwrap();
        assert!(matches!(read(dir.path()), Err(ModelError::Pickle(_))));

        tiny::save(dir.path());
        let path = dir.path().join(WEIGHTS);
        let bytes = fs::read(&path).unwrap();
        for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(matches!(read(dir.path()), Err(ModelError::Weights(_))), "{length} bytes");
        }
        for wrong in [f32::NAN, f32::INFINITY] {
            let weights = HashMap::from([("w".to_owned(), Tensor::new(&[0.0, wrong, 1.0], &Device::Cpu).unwrap())]);
            candle_core::safetensors::save(&weights, &path).unwrap();
            assert!(error(dir.path()).contains("w has numbers that are not finite"));
        }
    }
}
