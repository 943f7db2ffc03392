"""A mixture of diagonal Gaussians as plain tensors: means (K, D), log_vars (K, D), log_weights (K,); and as a prior."""

import math

import torch
from torch import Tensor, nn

Posteriors = tuple[Tensor, Tensor]  # means (K, D), log_vars (K, D)


class Mixture(nn.Module):
    """A prior with `components`, `samples` of each posterior a step, perhaps `balanced` (see `kl_balanced`)."""

    pseudo_inputs = None
    balanced = False

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) = log sum_k w_k N(z; m_k, exp(v_k)), in nats: (B, D) -> (B,)."""
        means, log_vars, weights = self.components()
        return log_joint(z, means, log_vars, weights.log()).logsumexp(-1)

    def kl(self, z: Tensor, mean: Tensor, log_var: Tensor, posteriors: Posteriors | None = None) -> Tensor:
        """KL(N(mean, diag exp(log_var)) || p) in nats by samples z of it, or its balanced form: (S, B, D), (B, D), (B,
        D) -> (B,)."""
        means, log_vars, weights = self.components(posteriors)
        joint = log_joint(z, means, log_vars, weights.log())  # (S, B, K)
        if self.balanced:
            return kl_balanced(z, log_var, joint, weights)
        return kl_monte_carlo(z, mean, log_var, joint.logsumexp(-1))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, D), from the components: what N(0, I) would give are no samples of another prior."""
        return draw(n, *self.components(), generator)


def log_joint(z: Tensor, means: Tensor, log_vars: Tensor, log_weights: Tensor) -> Tensor:
    """log w_k + log N(z; m_k, exp(v_k)), in nats: (..., D) -> (..., K).

    The square is taken apart, so that the memory is that of the answer: z^2 / v - 2 z m / v + m^2 / v."""
    precisions = (-log_vars).exp()  # (K, D)
    squares = z.square() @ precisions.T - 2 * z @ (means * precisions).T + (means.square() * precisions).sum(1)
    constant = log_weights - (log_vars.sum(1) + means.shape[1] * math.log(2 * math.pi)) / 2  # (K,)
    return constant - squares / 2


def gaussian_log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; mean, diag exp(log_var)) in nats: (S, B, D), (B, D), (B, D) -> (S, B)."""
    return -((z - mean).square() / log_var.exp() + log_var + math.log(2 * math.pi)).sum(-1) / 2


def kl_monte_carlo(z: Tensor, mean: Tensor, log_var: Tensor, log_prob: Tensor) -> Tensor:
    """KL(q || p) in nats from samples z of q = N(mean, diag exp(log_var)): (S, B, D), ..., log p(z) (S, B) -> (B,).

    The mean over samples of log q(z|x) - log p(z) (Safir et al. 2022; Tomczak and Welling 2018, arXiv 1705.07120)."""
    return (gaussian_log_density(z, mean, log_var) - log_prob).mean(0)


def kl_balanced(z: Tensor, log_var: Tensor, log_joint: Tensor, weights: Tensor) -> Tensor:
    """As `kl_monte_carlo`, but with responsibilities that share the rows of the batch over the components by their
    weights (K,), evenly if these are equal: log w_k + log N(z; m_k, v_k) (S, B, K) -> (B,), in nats.

    -sum_k Q_ik (log w_k + log N(z_i; m_k, v_k)) - H(q_i), with Q from `sinkhorn` and H the entropy of the Gaussian
    q_i. With Q the true responsibilities r and - H(r) added it would be the KL divergence; the balance is what keeps
    every component in use, so it assumes classes of about the weights' sizes."""
    entropy = (log_var + math.log(2 * math.pi) + 1).sum(-1) / 2  # (B,)
    crossed = torch.stack([(sinkhorn(joint, weights) * joint).sum(-1) for joint in log_joint])  # (S, B)
    return -crossed.mean(0) - entropy


def draw(n: int, means: Tensor, log_vars: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """n samples of the mixture: (n, D). The generator is one of the CPU."""
    chosen = torch.multinomial(weights.cpu(), n, replacement=True, generator=generator).to(means.device)
    noise = torch.randn(n, means.shape[1], generator=generator).to(means)
    return means[chosen] + (log_vars[chosen] / 2).exp() * noise


def sinkhorn(scores: Tensor, weights: Tensor, rounds: int = 10) -> Tensor:
    """Responsibilities that share n rows over K components by their weights w (K,), which sum to 1: log-scores (n, K)
    -> (n, K), each row sums to 1 and, after enough rounds, column k to n w_k.

    exp(scores), its columns and then its rows scaled in turn (Sinkhorn and Knopp 1967, doi 10.2140/pjm.1967.21.343;
    for balanced assignments in learning Caron et al. 2020, arXiv 2006.09882). No gradient passes through it."""
    log_q = scores.detach()
    share = math.log(len(scores)) + weights.log()  # (K,)
    for _ in range(rounds):
        log_q = log_q - log_q.logsumexp(0, keepdim=True) + share  # columns
        log_q = log_q - log_q.logsumexp(1, keepdim=True)  # rows
    return log_q.exp()
