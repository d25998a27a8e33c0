"""SGD: Robbins and Monro (1951); steps of Bottou, Curtis and Nocedal (2018)."""


def iterates(term_gradients, x0, draws, *, step_size, decay):
    x, out = x0, []
    for t, index in enumerate(draws):
        g = term_gradients(x)[index].mean(axis=0)
        x = x - step_size / (1 + decay * t) * g
        out.append(x)
    return out
