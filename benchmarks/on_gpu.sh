#!/usr/bin/env bash
# Everything that needs a GPU, in one call of at most nine minutes: tests, the time of a step, rendered streets -> CamVid.
#   bash benchmarks/on_gpu.sh OUT CAMVID WEIGHTS [--quick]
# OUT: folder for the results, written as they come. CAMVID: the dataset's folder. WEIGHTS: the folder that holds
# mobilenet_v2_imagenet_features_fp16.pth. --quick: small values, to try every stage on a CPU first.
# Each stage has a limit of its own, and later stages run though an earlier one fails.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$1 camvid=$(realpath "$2") weights=$(realpath "$3")
mkdir -p "$out"
device=cuda tests_limit=100 step_limit=150 results_limit=250 gpus=(--gpus 0.1 --cpus 1 --at_once 9)
grid=compare/streets_to_camvid_gpu changes=() step=()
if [ "${4:-}" = --quick ]; then
  device=cpu step=(--quick) gpus=(--at_once 2) results_limit=590
  changes=(--experiment.source.streets.count 8 --recipe.pretrain_steps 2 --recipe.more_steps 2 --recipe.joint_steps 2
    --recipe.adaptation_steps 2 --recipe.batch 2 --seeds '[0]' --experiment.machine.precision 32-true)
  export PIXDA_GPU_TESTS_ON=cpu
fi
began=$SECONDS
stage() { # NAME LIMIT COMMAND…
  local name=$1 limit=$2 from=$SECONDS
  shift 2
  echo "== $name (at $((SECONDS - began)) s)"
  timeout --kill-after=10 --signal=INT "$limit" "$@" 2>&1 | tee "$out/$name.log"
  echo "== $name: status ${PIPESTATUS[0]}, $((SECONDS - from)) s" | tee -a "$out/stages.txt"
}

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null | tee "$out/machine.txt"
# The street world is drawn by the processors while the tests are on the card.
frames=$([ "$device" = cpu ] && echo 8 || echo 1500)
python3 -m benchmarks.render runs/on_gpu/streets "$frames" >"$out/render.log" 2>&1 &
stage tests "$tests_limit" python3 -m pytest -q -m gpu tests/gpu
wait
cat "$out/render.log"
stage step "$step_limit" python3 -m benchmarks.gpu_step --device "$device" --out "$out/step.json" ${step[@]+"${step[@]}"}
stage results "$results_limit" python3 -m pixda compare "$grid" --out runs/on_gpu/compare "${gpus[@]}" \
  --experiment.source.root runs/on_gpu/streets --experiment.machine.cache runs/on_gpu/cache --experiment.target.root "$camvid" \
  --experiment.network.weights "$weights/mobilenet_v2_imagenet_features_fp16.pth" \
  ${changes[@]+"${changes[@]}"}
for file in table.md table.csv protocol.md curve.png; do
  [ -f "runs/on_gpu/compare/$file" ] && cp "runs/on_gpu/compare/$file" "$out/"
done
cat "$out/stages.txt"
[ -f "$out/table.md" ] && cat "$out/table.md"
true
