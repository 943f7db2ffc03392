// What three losses say to points in the plane: values and gradients, by the formulas of semidml.losses and
// semidml.priors. Nothing is drawn here. A place is [x, y]; a gradient has one of these for each point.

const zeros = (n) => Array.from({ length: n }, () => [0, 0]);

/** Mean of max(0, d(a, p) - d(a, n) + margin) over the triplets above 0, as semidml/losses/triplet.py trains with; of
 * the points whose label is not null. */
export function triplet(places, labels, margin) {
  const gradient = zeros(places.length);
  const known = labels.flatMap((label, i) => (label === null ? [] : [i]));
  const apart = (i, j) => Math.hypot(places[i][0] - places[j][0], places[i][1] - places[j][1]);
  const push = (i, j, way) => {
    const distance = apart(i, j);
    if (distance === 0) return;
    for (const axis of [0, 1]) {
      const unit = (way * (places[i][axis] - places[j][axis])) / distance;
      gradient[i][axis] += unit;
      gradient[j][axis] -= unit;
    }
  };
  let [sum, active] = [0, 0];
  for (const a of known) {
    for (const p of known) {
      if (p === a || labels[p] !== labels[a]) continue;
      for (const n of known) {
        const hinge = labels[n] === labels[a] ? 0 : apart(a, p) - apart(a, n) + margin;
        if (hinge <= 0) continue;
        sum += hinge;
        active += 1;
        push(a, p, 1);
        push(a, n, -1);
      }
    }
  }
  return { value: sum / Math.max(1, active), gradient: gradient.map((pair) => pair.map((x) => x / Math.max(1, active))) };
}

/** The decoder's logits at a place: weights (pixels, 2), offsets (pixels). */
export function logitsAt([x, y], { weights, offsets }) {
  return offsets.map((offset, pixel) => offset + weights[pixel][0] * x + weights[pixel][1] * y);
}

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Binary cross-entropy of each pixel, `sum` or `mean` over pixels, mean over points: semidml/losses/bernoulli.py. */
export function reconstruction(places, images, decoder, reduction) {
  const share = places.length * (reduction === "mean" ? decoder.offsets.length : 1);
  const gradient = zeros(places.length);
  let value = 0;
  places.forEach((place, i) => {
    logitsAt(place, decoder).forEach((logit, pixel) => {
      const target = images[i][pixel];
      value += Math.max(logit, 0) - logit * target + Math.log1p(Math.exp(-Math.abs(logit)));
      const error = sigmoid(logit) - target;
      for (const axis of [0, 1]) gradient[i][axis] += (error * decoder.weights[pixel][axis]) / share;
    });
  });
  return { value: value / share, gradient };
}

/** What of the KL divergence moves a point: -log p(z), mean over points, for a prior of `means`, `logVars` and
 * `weights`; `balanced`, with responsibilities that share the points over the components: semidml/priors/mixture.py. */
export function prior(places, { means, logVars, weights }, balanced) {
  const joint = places.map(([x, y]) =>
    means.map(([mx, my], k) => {
      const [vx, vy] = logVars[k];
      const square = (x - mx) ** 2 / Math.exp(vx) + (y - my) ** 2 / Math.exp(vy);
      return Math.log(weights[k]) - (square + vx + vy) / 2 - Math.log(2 * Math.PI);
    }),
  );
  const shares = balanced ? sinkhorn(joint, weights) : joint.map(softmax);
  const n = places.length;
  const terms = joint.map((row, i) => (balanced ? row.reduce((sum, x, k) => sum + shares[i][k] * x, 0) : logSum(row)));
  const gradient = places.map((place, i) =>
    [0, 1].map((axis) => means.reduce((sum, mean, k) => sum + (shares[i][k] * (place[axis] - mean[axis])) / Math.exp(logVars[k][axis]), 0) / n),
  );
  return { value: -terms.reduce((sum, x) => sum + x, 0) / n, gradient };
}

function logSum(row) {
  const most = Math.max(...row);
  return most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
}

function softmax(row) {
  const total = logSum(row);
  return row.map((x) => Math.exp(x - total));
}

/** Responsibilities whose rows sum to 1 and whose columns to the points' number times the weights. */
function sinkhorn(scores, weights, rounds = 10) {
  let logs = scores;
  for (let round = 0; round < rounds; round++) {
    const columns = weights.map((weight, k) => logSum(logs.map((row) => row[k])) - Math.log(logs.length * weight));
    logs = logs.map((row) => row.map((x, k) => x - columns[k]));
    logs = logs.map((row) => row.map((x) => x - logSum(row)));
  }
  return logs.map((row) => row.map(Math.exp));
}
