/// Everything of Genera.
#pragma once

#include <genera/autodiff.h>
#include <genera/checkpoint.h>
#include <genera/data.h>
#include <genera/device.h>
#include <genera/dtype.h>
#include <genera/error.h>
#include <genera/functions.h>
#include <genera/io.h>
#include <genera/nn.h>
#include <genera/ops.h>
#include <genera/optim.h>
#include <genera/profile.h>
#include <genera/random.h>
#include <genera/scope.h>
#include <genera/shape.h>
#include <genera/state.h>
#include <genera/stats.h>
#include <genera/tensor.h>
